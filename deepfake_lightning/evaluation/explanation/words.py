"""What heat maps permit to say, and what their checks came to: for pages and terminals alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from deepfake_lightning.evaluation.explanation.curves import Faithfulness
from deepfake_lightning.evaluation.words import counted, number
from deepfake_lightning.schemas import Assessment, ScoredFace

if TYPE_CHECKING:  # words need no network
    from deepfake_lightning.evaluation.explanation.heat import Method
    from deepfake_lightning.evaluation.explanation.randomised import Randomised

MEANING = (
    "A heat map is no evidence. It shows what moved the network's score, not where a picture was "
    "altered: it lies on some part of every face, also of one that nobody touched, and of one that "
    "the network is wrong about"
)
PERMITS = (
    "It permits to see which frames decided a clip, and whether a score hangs on the face or on "
    "something else (background, a border, a caption), which is a reason to distrust the score. "
    "Not covered: how, where or by whom something was altered, and all that the network did not use"
)
NAMES: dict[Method, str] = {"gradcam": "Grad-CAM", "occlusion": "occlusion"}
METHODS: dict[Method, str] = {
    "gradcam": "Grad-CAM (Selvaraju et al., ICCV 2017) weighs the network's last feature maps by "
    "their gradients, here with the sign: what lowers the score is shown, too; of a detector with "
    "a test-time flip it is the mean of the face's map and its mirror image's",
    "occlusion": "occlusion (Zeiler & Fergus, ECCV 2014) covers one square after the other with "
    "the mean colour: a field shows the log-odds that are lost where it is covered",
}
CURVES = (
    "Deletion and insertion (Petsiuk et al., BMVC 2018): deletion takes the parts of the face away "
    "that the map says raise the score most, and then the others; the lower the area under the "
    "falling score, the better the map. Insertion brings them back into a blurred face; the higher "
    "the better. Random orders and one from the middle outwards take the same squares: a map that "
    "does no better says nothing about the network. Of a face whose score is near 0 there is "
    "nothing to take away, and the curves say little; and squares put in place of a face can "
    "move a score by themselves."
)
RANDOMISED = (
    "Shuffled weights (Adebayo et al., NeurIPS 2018): how alike (Spearman's rank correlation over "
    "the fields) are the maps to those of the same network with its weights shuffled, from the "
    "classifier downwards? It is one shuffle of many, and what batch normalisation has counted "
    "(means and variances) stays as learnt. Near 0: the maps depend on what was learnt. Near 1: "
    "they show the picture, and would look so for any network. Near -1, too: upside down."
)
_LITTLE_LEFT = 0.1


def when(face: ScoredFace) -> str:
    """Return where in a clip a face is: ``0:02.4, frame 60``; empty of a picture."""
    if face.timestamp_ms is None:
        return "" if face.frame is None else f"frame {face.frame}"
    minutes, seconds = divmod(face.timestamp_ms / 1000, 60)
    return f"{int(minutes)}:{seconds:04.1f}, frame {face.frame}"


def named(track: int | None) -> str:
    """Return what a track is called."""
    return "the picture" if track is None else f"face {track}"


def verdict_line(found: Assessment) -> str:
    """Return the score with what it comes to."""
    said = (found.verdict or "no verdict").replace("_", " ")
    return f"{said}, score {number(found.score)}: {found.meaning}"


def checked_line(deletion: Sequence[Faithfulness], insertion: Sequence[Faithfulness]) -> str:
    """Return what the curves of some faces come to, in a sentence."""
    faces = len(deletion)
    if not faces:
        return "not checked"
    if all(max(one.map.scores[0], one.map.scores[-1]) < _LITTLE_LEFT for one in deletion):
        return (
            "deletion says nothing here: no face has a score that could fall (all are under "
            f"{_LITTLE_LEFT})"
        )
    won = {
        name: [sum(getattr(one, name) for one in curves) for curves in (deletion, insertion)]
        for name in ("beats_random", "beats_centre")
    }
    told = (
        f"of {counted(faces, 'face')} the map's order beats every random one for "
        f"{won['beats_random'][0]} (deletion) and {won['beats_random'][1]} (insertion), and one "
        f"from the middle outwards for {won['beats_centre'][0]} and {won['beats_centre'][1]}"
    )
    if 2 * min(won["beats_random"]) <= faces:
        return f"{told}: these maps say little about what the network used"
    if 2 * min(won["beats_centre"]) <= faces:
        return f"{told}: pointing at the middle of the face would do about as well"
    return f"{told}: the score does hang on where they point"


def randomised_line(stages: Sequence[Randomised]) -> str:
    """Return what shuffling all weights did to the maps, in a sentence."""
    if not stages:
        return "not checked"
    last = stages[-1].strength
    if last is None:
        return (
            "with this shuffle of all weights nothing can be told: here or there, each map has one "
            "value everywhere, or values that are not finite"
        )
    told = f"with this shuffle of all weights the maps correlate by {number(last)}, sign aside"
    if last >= 0.5:
        return f"{told}: much of what they show is the picture, and not what was learnt"
    return f"{told}: they depend on what was learnt, and not on the picture alone"


def mean_area(curves: Sequence[Faithfulness], order: str) -> str:
    """Return the mean area under some curves in one order."""
    return number(float(np.mean([getattr(one, order).area for one in curves])) if curves else None)
