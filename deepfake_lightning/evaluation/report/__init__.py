"""The report of an evaluation: measured, written down, and shown.

``measure`` makes an :class:`Evaluation` (``record``) of a subject's scores: ``decisions`` says what
becomes of each item, ``operating`` what thresholds do, ``subgroups`` whom they do it to and
``mistakes`` where they fail. ``sections`` puts it into words and tables, which ``page`` and
``files`` write.
"""

from deepfake_lightning.evaluation.report.files import PREDICTIONS, RECORD, write_report
from deepfake_lightning.evaluation.report.measure import evaluate
from deepfake_lightning.evaluation.report.record import Evaluation

__all__ = ["PREDICTIONS", "RECORD", "Evaluation", "evaluate", "write_report"]
