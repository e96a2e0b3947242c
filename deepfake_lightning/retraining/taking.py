"""How a new item is to be taken, so that it is what the training's data are.

A crop that is cropped again loses a part of the face, and a photograph that is taken for a crop
shows next to none of it. What a crop is, who sent it has said, or the detector's own look tells.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from deepfake_lightning.data.face_input import FaceMode, input_kind
from deepfake_lightning.errors import DataError
from deepfake_lightning.inference.seeing import hardly_a_crop
from deepfake_lightning.media import FaceReader, Frame, read_image
from deepfake_lightning.retraining.new_items import NewItem
from deepfake_lightning.schemas import Extraction, Manifest, Preprocess

Way = Literal["as_it_is", "cut", "whole"]
"""A file of the training, as it is; pictures of it, with its faces cut out; or whole ones."""

NO_FACE, UNREADABLE = "no face was found in it", "cannot be read"
_IS_CROP = "show a face that is cut out already, and the training cuts faces out itself"


class Takes:
    """Says of new items how they are taken.

    Args:
        base: the data of the training.
        preprocess: of its detector.
        face: the training's ``data.face``.
    """

    def __init__(self, base: Manifest, preprocess: Preprocess, face: FaceMode) -> None:
        self._kind, self._made = input_kind(base, face), base.extraction
        self._preprocess = preprocess
        self._reader: FaceReader | None = None

    def extraction(self, way: Way) -> Extraction:
        """Return how pictures are made for a way that makes some, like those of the training."""
        look = self._preprocess
        made = self._made or Extraction(
            faces=look.faces, margin=look.margin, sampling=look.sampling, size=max(224, look.size)
        )
        changed = {"balance": False, **({"faces": None} if way == "whole" else {})}
        return made.model_copy(update=changed)

    def way(self, one: NewItem, path: Path) -> tuple[Way | None, str]:
        """Return how an item is taken; None where it is not, and why.

        Args:
            one: the item.
            path: its file.
        """
        if self._kind == "frame":
            return (None, _IS_CROP) if one.already_cropped else ("as_it_is", "")
        if self._kind == "whole":
            return ("as_it_is" if self._made is None else "cut"), ""
        if one.already_cropped:
            plain = self._made is None and one.media_type == "image"
            return ("as_it_is" if plain else "whole"), ""
        if self._made is not None or one.media_type == "video":
            return "cut", ""
        if not one.request:  # of somebody who knows what the training's pictures are
            return "as_it_is", ""
        return ("cut", "") if one.already_cropped is False else self._looked_at(path)

    def _looked_at(self, path: Path) -> tuple[Way | None, str]:
        """Tell a picture of which nobody said what it is, as the detector does."""
        if self._reader is None:
            self._reader = FaceReader(self._preprocess)
        try:
            image = read_image(path)
        except (DataError, OSError):
            return None, UNREADABLE
        found = [each.face for each in self._reader.faces([Frame(0, 0, image)])]
        if not found:
            return None, NO_FACE
        height, width = image.shape[:2]
        is_photo = hardly_a_crop(found[0].size * self._preprocess.margin, height, width)
        return ("cut" if is_photo else "as_it_is"), ""
