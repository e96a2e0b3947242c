"""``bundle build`` and ``bundle verify``."""

from __future__ import annotations

import sys
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from deepfake_lightning.cli.paths import near
from deepfake_lightning.steps import steps

if TYPE_CHECKING:
    from deepfake_lightning.bundle import Bundle


def build(
    checkpoint: str,
    out: str | None = None,
    version: str | None = None,
    run: str | None = None,
    json: bool = False,
) -> None:
    """Build the bundle of a checkpoint: all that is needed to score media the same way anywhere.

    Args:
        checkpoint: a file of `fit`.
        out: folder to write (default: bundle in the training's folder); it must not exist yet.
        version: of the detector (default: the training's).
        run: the training's folder, where the checkpoint lies elsewhere.
        json: print what the bundle says of itself as JSON.
    """
    from deepfake_lightning.bundle.build import build_bundle

    console = Console(stderr=json)
    with steps(console) as progress:
        made = build_bundle(
            Path(checkpoint),
            Path(out) if out else None,
            version=version,
            run=Path(run) if run else None,
            progress=progress,
        )
    if json:
        _write({"bundle": str(made.folder), "digest": made.digest, **made.record.to_dict()})
        return
    found = made.record.agreement.onnx_cpu
    demo = "trained on drawn faces: it says nothing of real ones\n" if made.record.demo else ""
    console.print(
        f"{near(made.folder)}: {made.record.version}, {made.record.backbone}, "
        f"sha256 {made.digest[:16]}\n"
        f"{demo}{_calibration(made)}\n"
        f"ONNX and PyTorch differ by {found.logit:.1e} at most ({found.pictures} pictures)\n"
        f"its model card: {near(made.folder / 'MODEL_CARD.md')}\n"
        f"next: deepfake-lightning predict FILE --bundle {near(made.folder)}",
        highlight=False, markup=False, soft_wrap=True,
    )  # fmt: skip


def verify(bundle: str, json: bool = False) -> None:
    """Check every file of a bundle, and that it scores here as it did where it was built.

    Args:
        bundle: its folder.
        json: print the result as JSON.
    """
    from deepfake_lightning.bundle import load_bundle
    from deepfake_lightning.inference import EngineSource
    from deepfake_lightning.inference.golden_check import golden_difference

    folder = Path(bundle)
    loaded = load_bundle(folder)
    engine = EngineSource(folder, digest=loaded.digest).open()
    difference = golden_difference(engine, loaded)
    if json:
        _write({"bundle": bundle, "digest": loaded.digest, "golden_difference": difference,
                **loaded.record.to_dict()})  # fmt: skip
        return
    said = "it finds no face in its golden pictures: no score could be compared"
    if difference is not None:
        said = "its golden pictures get the logits they must get "
        said += f"(largest difference {difference:.1e})"
    Console().print(
        f"{folder}: {loaded.record.version}, whole; sha256 {loaded.digest}\n{said}",
        highlight=False, markup=False, soft_wrap=True,
    )  # fmt: skip


def _calibration(made: Bundle) -> str:
    """Return which verdicts a bundle gives, and who fitted them; or why it gives none."""
    from deepfake_lightning.bundle.load import PROVENANCE
    from deepfake_lightning.schemas.calibration import KINDS, NOUNS, promise

    found = made.read_json(PROVENANCE)["calibration"]
    lines = []
    for kind in KINDS:
        fitted, noun = made.calibration.of(kind), NOUNS[kind]
        said = f"no verdicts, scores alone: {found['why_not'].get(kind, 'not recorded')}"
        if fitted is not None:
            said = f"calibrated on {fitted.items:,} items: {promise(fitted, noun) or ''}"
        lines.append(f"{noun}: {said}")
    if found["by"] != "calibrate":
        lines.append(
            "`calibrate` had not been run: the default was fitted, for this bundle alone"
            if found["in_sample"]
            else "`calibrate` had not been run, and the default could not be fitted"
        )
    return "\n".join(lines)


def _write(record: dict[str, object]) -> None:
    sys.stdout.write(dumps(record) + "\n")
