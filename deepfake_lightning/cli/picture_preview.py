"""A small picture in a terminal: two pixels in each place of a letter."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.text import Text

from deepfake_lightning.errors import MediaError

_WIDTH, _HEIGHT = 72, 32  # letters
_UPPER_HALF = "\u2580"


def preview(path: Path, console: Console) -> Text | None:
    """Return a picture in upper half blocks; None where it is none, or the terminal no colours has.

    Args:
        path: of the picture; it may be anybody's, so what it claims is bounded.
        console: that it is shown on.
    """
    if not console.is_terminal or console.color_system not in ("truecolor", "256"):
        return None
    import cv2

    from deepfake_lightning.media.images import media_kind, read_image

    try:
        if media_kind(path) != "image":
            return None
        image = read_image(path)
    except (MediaError, OSError):
        return None
    height, width = image.shape[:2]
    scale = min(min(_WIDTH, console.width - 1) / width, 2 * _HEIGHT / height)
    columns, rows = max(1, round(width * scale)), max(1, round(height * scale / 2))
    small = cv2.resize(image, (columns, 2 * rows), interpolation=cv2.INTER_AREA)
    shown = Text()
    for upper, lower in zip(small[::2].tolist(), small[1::2].tolist(), strict=True):
        for one, two in zip(upper, lower, strict=True):
            shown.append(_UPPER_HALF, f"rgb({','.join(map(str, one))}) "
                         f"on rgb({','.join(map(str, two))})")  # fmt: skip
        shown.append("\n")
    return shown
