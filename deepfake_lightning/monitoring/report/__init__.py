"""The report of a period: what was answered, how well, what moved, what was alarming.

``record`` is all of it, ``gathering`` reads it from the log and the workspace. ``findings`` say
what to look at first, ``sections`` the rest in text and tables (``quality_table``), in the numbers
of ``words``. ``page`` is HTML with ``charts``, made of ``drawing``; ``files`` writes HTML, Markdown
and JSON.
"""

from deepfake_lightning.monitoring.report.files import check_place, report_markdown, write_report
from deepfake_lightning.monitoring.report.findings import Finding, findings
from deepfake_lightning.monitoring.report.gathering import gather
from deepfake_lightning.monitoring.report.page import report_page
from deepfake_lightning.monitoring.report.record import MonitoringReport, plain, window_record

__all__ = [
    "Finding",
    "MonitoringReport",
    "check_place",
    "findings",
    "gather",
    "plain",
    "report_markdown",
    "report_page",
    "window_record",
    "write_report",
]
