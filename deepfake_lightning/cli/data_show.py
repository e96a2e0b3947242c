"""``data show``: a contact sheet of what a training will see."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rich.console import Console

from deepfake_lightning.errors import UsageError
from deepfake_lightning.storage import Workspace, atomic_write

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from deepfake_lightning.data.preview import Strip


def data_show(
    root: str,
    config: str | None = None,
    out: str | None = None,
    count: int = 6,
    seed: int = 0,
    face: Literal["auto", "crop", "none"] | None = None,
    workspace: str | None = None,
) -> None:
    """Draw a contact sheet: for each label and method what a network sees, plain and augmented.

    Args:
        root: a folder of pictures or videos, or a manifest.
        config: a training's configuration; its data section says how pictures are made.
        out: the PNG to write (default: evaluation/data.png in the workspace).
        count: pictures of each label and method.
        seed: of the choice of pictures and of the augmentation.
        face: where faces are looked for, as data.face of a configuration.
        workspace: where the workspace is (default: mlops).
    """
    from deepfake_lightning.data.datamodule import DeepfakeDataModule
    from deepfake_lightning.data.preview import preview
    from deepfake_lightning.evaluation.plots import contact_sheet

    if count < 1:
        raise UsageError(f"count is {count}", next_step="show one picture or more")
    settings = {**_data_section(config), "root": root, **({"face": face} if face else {})}
    try:
        data = DeepfakeDataModule(**settings)
    except TypeError as error:  # an unknown key
        raise UsageError(f"{config}, data: {error}", next_step="correct the key") from error
    strips = preview(data, count=count, seed=seed)
    images, captions = _sheet(strips, count)
    path = Path(out) if out else Workspace.find(workspace).root / "evaluation" / "data.png"
    with atomic_write(path) as file:
        contact_sheet(images, captions, columns=count).savefig(file, format="png")
    names = "; ".join(strip.name for strip in strips)
    below = "plain above, augmented below" if strips[0].after is not None else "not augmented"
    Console().print(
        f"{path}: {names}\n{below}\n"
        f"next: deepfake-lightning fit --config {config or 'configs/lite0.yaml'} "
        f"--data.root {root}",
        highlight=False, markup=False, soft_wrap=True,
    )  # fmt: skip


def _data_section(config: str | None) -> dict[str, Any]:
    """Return the data section of a configuration file."""
    if config is None:
        return {}
    import yaml

    try:
        content = yaml.safe_load(Path(config).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        fault = " ".join(str(error).split())[:300]
        raise UsageError(f"{config} cannot be read: {fault}", next_step="correct it") from error
    section = content.get("data") if isinstance(content, dict) else None
    if not isinstance(section, dict):
        raise UsageError(f"{config} has no data section", next_step="pass a training's")
    return section


def _sheet(strips: list[Strip], columns: int) -> tuple[NDArray[np.uint8], list[str]]:
    """Return pictures and captions in rows, each row of one strip; smaller ones get a border."""
    import numpy as np

    side = max(strip.before.shape[1] for strip in strips)
    images, captions = [], []
    for strip in strips:
        for kind, pictures in (("", strip.before), ("augmented", strip.after)):
            if pictures is None:
                continue
            edge = side - pictures.shape[1]
            border = (edge // 2, edge - edge // 2)
            padding = ((0, columns - len(pictures)), border, border, (0, 0))
            images.append(np.pad(pictures, padding, constant_values=255))
            captions += [f"{strip.name}\n{kind or name}" for name in strip.names]
            captions += [""] * (columns - len(pictures))
    return np.concatenate(images), captions
