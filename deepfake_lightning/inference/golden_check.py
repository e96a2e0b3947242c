"""Does a detector score here as it did where its bundle was built?"""

from __future__ import annotations

from deepfake_lightning.bundle import Bundle
from deepfake_lightning.bundle.load import GOLDEN
from deepfake_lightning.errors import BundleError
from deepfake_lightning.inference.engine import Engine


def golden_difference(engine: Engine, bundle: Bundle) -> float:
    """Score a bundle's golden pictures; return the largest difference of a logit.

    Raises:
        BundleError: a picture's logit, or the number of its faces, is another than it has to be.
    """
    record = bundle.read_json(GOLDEN)
    largest = 0.0
    for picture in record["pictures"]:
        found = engine.assess(bundle.read(picture["file"]), name=picture["file"])
        expected = picture["logit"]
        if len(found.faces) != picture["faces"]:
            raise _other(bundle, picture["file"], f"{picture['faces']} faces",
                         f"{len(found.faces)}")  # fmt: skip
        if expected is None or found.logit is None:
            continue
        difference = abs(found.logit - expected)
        if difference > record["tolerance"]:
            raise _other(bundle, picture["file"], f"a logit of {expected:.4f}",
                         f"{found.logit:.4f}")  # fmt: skip
        largest = max(largest, difference)
    return largest


def _other(bundle: Bundle, name: str, expected: str, found: str) -> BundleError:
    return BundleError(
        f"{bundle.folder}: {name} has to give {expected}, and gives {found} here",
        why="media are decoded, or the network is run, otherwise than where the bundle was built: "
        "its scores here are not those that were measured",
        next_step="compare the packages of provenance.json with `pip list`, or build it anew here",
    )
