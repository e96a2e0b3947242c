"""From videos and photographs to pictures of faces: what ``extract`` does.

``sources`` lists what is asked for, ``worker`` turns one file into pictures, ``journal`` keeps what
is done, and ``run`` drives them. Nothing here imports torch.
"""

from deepfake_lightning.data.extraction.journal import Entry
from deepfake_lightning.data.extraction.results import FAILURES, Summary
from deepfake_lightning.data.extraction.run import extract
from deepfake_lightning.data.extraction.sources import Source, list_sources
from deepfake_lightning.data.extraction.worker import Outcome

__all__ = ["FAILURES", "Entry", "Outcome", "Source", "Summary", "extract", "list_sources"]
