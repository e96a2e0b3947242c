"""``explain``: what moved a score, and how far to trust the answer."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from json import dumps
from pathlib import Path
from typing import Literal

from rich.console import Console

from deepfake_lightning.cli.detector_choice import check_one, path_of, registered_bundle
from deepfake_lightning.cli.explain_summary import explain_all, print_explanation, write
from deepfake_lightning.cli.reports import check_options
from deepfake_lightning.errors import UsageError
from deepfake_lightning.storage import Workspace

SOME_UNREADABLE = 3
_MOST_FILES = 50


def explain(
    *inputs: str,
    version: str | None = None,
    bundle: str | None = None,
    ckpt_path: str | None = None,
    out: str | None = None,
    method: Literal["gradcam", "occlusion"] = "gradcam",
    faces: int = 8,
    checks: bool = True,
    already_cropped: bool | None = None,
    seed: int = 0,
    workspace: str | None = None,
    json: bool = False,
) -> int:
    """Show what moved the score of pictures and clips, on a page with heat maps and timelines.

    The faces and scores are those of `predict`, or it stops. A heat map is no evidence: it shows
    what moved the network's score, not where a picture was altered. Whether the maps say anything
    about the network is checked (deletion, insertion, shuffled weights). Exit codes: 0 explained,
    3 some files could not be read, 2 wrong use or nothing to explain, 1 the machine's fault, 130
    interrupted.

    Args:
        inputs: pictures and clips.
        version: of the registry, v1.0.0, or the environment that one serves: production.
        bundle: folder of the detector's bundle, instead.
        ckpt_path: a checkpoint instead.
        out: folder to write to; it must not hold anything (default: a new one under
            evaluation/reports in the workspace).
        method: 'gradcam' (fast, as coarse as the network's last feature maps) or 'occlusion'
            (any network, 49 runs a face).
        faces: of each file that are explained, at most; of clips those with the highest scores.
        checks: whether the maps are checked, which takes most of the time.
        already_cropped: the pictures show one face each (default: as `predict` takes them).
        seed: of the checks' random orders and shuffled weights.
        workspace: where the workspace is (default: mlops).
        json: print the record as JSON, and nothing else.
    """
    files = _files(inputs)
    check_one(version=version, bundle=bundle, ckpt_path=ckpt_path)
    check_options(1, None, out)
    place = Workspace.find(workspace)
    registered = None if version is None else registered_bundle(version, workspace)
    from deepfake_lightning.evaluation.explanation.opening import open_explainer
    from deepfake_lightning.evaluation.explanation.record import Explanation
    from deepfake_lightning.inference import EngineSource

    source = EngineSource(
        path_of(bundle) if registered is None else registered.folder, path_of(ckpt_path),
        digest=None if registered is None else registered.digest,
    )  # fmt: skip
    explainer = open_explainer(source, method=method, faces=faces, checks=checks, seed=seed)
    console = Console(stderr=json)
    items = explain_all(explainer, files, already_cropped, console)
    found = Explanation(
        explainer.engine.version, explainer.backbone, method, explainer.heat.grid,
        explainer.engine.preprocess.size, explainer.engine.is_demo, items,
    )  # fmt: skip
    folder = write(found, out, place)
    if json:
        record = {**found.to_dict(), "folder": str(folder)}
        sys.stdout.write(dumps(record, allow_nan=False) + "\n")
    else:
        print_explanation(console, found, folder)
    unreadable = any(item.found.status == "unreadable" for item in items)
    return SOME_UNREADABLE if unreadable else 0


def _files(inputs: Sequence[str]) -> list[Path]:
    if not inputs:
        raise UsageError("nothing to explain", next_step="name pictures or clips")
    paths = list(dict.fromkeys(Path(name) for name in inputs))
    for path in paths:
        if not path.is_file():
            raise UsageError(
                f"{path} is {'a folder' if path.is_dir() else 'no file'}",
                next_step="name pictures or clips; `predict` tells which of a folder to look at",
            )
    if len(paths) > _MOST_FILES:
        raise UsageError(
            f"{len(paths)} files are more than the {_MOST_FILES} that fit a page",
            next_step="name those with the scores in question",
        )
    return paths
