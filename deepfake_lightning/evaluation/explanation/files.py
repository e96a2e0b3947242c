"""The folder of an explanation: a page, the record, and a picture of each face."""

from __future__ import annotations

from pathlib import Path

from deepfake_lightning.evaluation.explanation.page import explanation_page
from deepfake_lightning.evaluation.explanation.pictures import face_sheet
from deepfake_lightning.evaluation.explanation.record import Explanation
from deepfake_lightning.evaluation.explanation.words import when
from deepfake_lightning.evaluation.words import number
from deepfake_lightning.storage import write_json

PAGE, RECORD, FACES = "explanation.html", "explanation.json", "faces"


def write_explanation(folder: Path, found: Explanation) -> None:
    """Write ``explanation.html``, ``explanation.json`` and ``faces/<file>-<face>.jpg``.

    Args:
        folder: an empty folder, which the caller makes visible as a whole.
        found: what was explained.
    """
    (folder / PAGE).write_text(explanation_page(found), "utf-8")
    write_json(folder / RECORD, found.to_dict())
    (folder / FACES).mkdir()
    for place, item in enumerate(found.items, start=1):
        for number_, face in enumerate(item.faces, start=1):
            scored = item.found.faces[face.place]
            at = when(scored)
            told = f"score {number(face.score)}{f', {at}' if at else ''} ({found.version}). "
            title = f"{told}No evidence: what moved the score\n{item.found.name}"
            path = folder / FACES / f"{place:02}-{number_:02}.jpg"
            path.write_bytes(face_sheet(face, item.limit, title))
