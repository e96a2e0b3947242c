"""What spoils a figure before training starts: leaks between splits, and shortcuts.

``leaks`` looks at the manifest's names, ``copies`` at the bytes and the looks of files,
``official`` at published test lists; ``statistics`` measures files and ``shortcuts`` asks whether
that alone tells fakes from reals. ``run`` puts them together, ``page`` draws them, and ``ledger``
counts how often a test split was looked at. Nothing here imports torch.
"""

from deepfake_lightning.data.audit.findings import KINDS, AuditReport, Finding
from deepfake_lightning.data.audit.ledger import Look, looks, record_look
from deepfake_lightning.data.audit.page import audit_page
from deepfake_lightning.data.audit.run import audit, check_before_training

__all__ = [
    "KINDS",
    "AuditReport",
    "Finding",
    "Look",
    "audit",
    "audit_page",
    "check_before_training",
    "looks",
    "record_look",
]
