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

    from deepfake_lightning.data.preview import PairStrip, Strip

    Row = tuple[NDArray[np.uint8], list[str]]


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

    Where a configuration makes fakes of real faces (data.blending), pairs of them are drawn, too.

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
    from deepfake_lightning.data.preview import preview, preview_pairs
    from deepfake_lightning.evaluation.plots import contact_sheet

    if count < 1:
        raise UsageError(f"count is {count}", next_step="show one picture or more")
    settings = {**_data_section(config), "root": root, **({"face": face} if face else {})}
    try:
        data = DeepfakeDataModule(**settings)
    except TypeError as error:  # an unknown key
        raise UsageError(f"{config}, data: {error}", next_step="correct the key") from error
    strips = preview(data, count=count, seed=seed)
    pairs = preview_pairs(data, count=count, seed=seed) if data.hparams["blending"] else None
    images, captions = _sheet(_rows(strips, pairs), count)
    path = Path(out) if out else Workspace.find(workspace).root / "evaluation" / "data.png"
    with atomic_write(path) as file:
        contact_sheet(images, captions, columns=count).savefig(file, format="png")
    names = "; ".join(strip.name for strip in strips)
    below = "plain above, augmented below" if strips[0].after is not None else "not augmented"
    if pairs is not None:
        below += "; then real faces, masks, and the fakes made of them"
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


def _rows(strips: list[Strip], pairs: PairStrip | None) -> list[Row]:
    """Return the rows of a sheet: pictures, and a caption for each."""
    rows: list[Row] = []
    for strip in strips:
        rows.append((strip.before, [f"{strip.name}\n{name}" for name in strip.names]))
        if strip.after is not None:
            rows.append((strip.after, [f"{strip.name}\naugmented"] * len(strip.names)))
    if pairs is not None:
        rows.append((pairs.real, [f"real side of a pair\n{name}" for name in pairs.names]))
        rows.append((pairs.mask, ["mask"] * len(pairs.names)))
        rows.append((pairs.fake, ["self-blended"] * len(pairs.names)))
    return rows


def _sheet(rows: list[Row], columns: int) -> tuple[NDArray[np.uint8], list[str]]:
    """Return pictures and captions, as many in each row; smaller ones get a border."""
    import numpy as np

    side = max(pictures.shape[1] for pictures, _ in rows)
    images, captions = [], []
    for pictures, names in rows:
        edge = side - pictures.shape[1]
        border = (edge // 2, edge - edge // 2)
        padding = ((0, columns - len(pictures)), border, border, (0, 0))
        images.append(np.pad(pictures, padding, constant_values=255))
        captions += [*names, *[""] * (columns - len(pictures))]
    return np.concatenate(images), captions
