"""What a checkpoint adds to the arguments of a command: its run's data and preprocessing."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import yaml

from deepfake_lightning.bundle.runs import checkpoint_with
from deepfake_lightning.errors import CheckpointError, UsageError
from deepfake_lightning.models.checkpoint_file import read_checkpoint
from deepfake_lightning.registry import Registry
from deepfake_lightning.storage import RUN_CONFIG, RUN_MANIFEST, Workspace, run_of
from deepfake_lightning.training.run_folder import latest_run

DEFAULT_EXPERIMENT = "deepfake-detection"
_KEYWORDS = ("last", "best")
_PEEKED = ("ckpt_path", "workspace", "experiment", "version")


def complete(args: list[str]) -> list[str]:
    """Return the arguments of a training verb, with what its checkpoint says put first.

    What stands later wins, so configurations and flags of the user override a checkpoint's
    settings. ``last`` and ``best`` become the path of the newest run's checkpoint, and a version of
    the registry that of the checkpoint it was made of. A resumed ``fit`` without a configuration
    takes its run's. The rows and splits are those the run kept.

    Args:
        args: ``[verb, flag, ...]`` as typed.

    Raises:
        UsageError: a verb other than ``fit`` without a checkpoint.
        CheckpointError: the checkpoint is missing or damaged.
    """
    verb, rest = args[0], args[1:]
    if {"-h", "--help", "--print_config"} & set(rest) or any(
        arg.startswith("--print_config") for arg in rest
    ):
        return args
    given, configs = _peek(rest)
    if verb == "fit" and given["ckpt_path"] is None:
        return args
    if verb != "fit" and given["ckpt_path"] not in (None, *_KEYWORDS):
        _refuse_two(verb, rest)
    path = _checkpoint(verb, given)
    checkpoint = read_checkpoint(path)
    run = run_of(path)
    added = []
    if verb != "fit":
        added = ["--config", yaml.safe_dump(_settings(checkpoint, path), default_flow_style=True)]
    elif run is not None and not configs:
        added = ["--config", str(run / RUN_CONFIG)]
    if added and run is not None and (run / RUN_MANIFEST).is_file():
        added += ["--data.root", str(run / RUN_MANIFEST)]
    return [verb, *added, *rest, "--ckpt_path", str(path)]


def _peek(rest: list[str]) -> tuple[dict[str, str | None], list[str]]:
    """Return a few arguments without parsing the rest: flags first, then configuration files."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("-c", "--config", action="append", default=[])
    for name in _PEEKED:
        parser.add_argument(f"--{name}")
    known, _ = parser.parse_known_args(rest)
    given: dict[str, str | None] = dict.fromkeys(_PEEKED)
    for config in known.config:
        if Path(config).is_file():
            content = _read_yaml(Path(config))
            if isinstance(content, dict):
                given.update({key: content[key] for key in _PEEKED if key in content})
    given.update({key: value for key, value in vars(known).items()
                  if key in _PEEKED and value is not None})  # fmt: skip
    return given, known.config


def _read_yaml(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        fault = " ".join(str(error).split())
        raise UsageError(f"{path} is not YAML: {fault[:300]}", next_step="correct it") from error


def _checkpoint(verb: str, given: dict[str, str | None]) -> Path:
    wanted, version = given["ckpt_path"], given["version"]
    workspace = Workspace.find(given["workspace"])
    if wanted is None and version is not None:
        return _registered(verb, version, workspace)
    if wanted is None:
        raise UsageError(
            f"{verb} needs a checkpoint or a version: a model without one scores at random",
            next_step=f"deepfake-lightning {verb} --ckpt_path mlops/runs/{DEFAULT_EXPERIMENT}/"
            "v1.0.0/checkpoints/best.ckpt (or `last`, `best`), or --version v1.0.0",
        )
    if wanted not in _KEYWORDS:
        return Path(wanted)
    experiment = given["experiment"] or DEFAULT_EXPERIMENT
    run = latest_run(workspace.runs, experiment, version)
    if run is None:
        raise CheckpointError(
            f"there is no {wanted}.ckpt of {experiment} {version or ''}".rstrip()
            + f" in {workspace.runs}",
            why="nothing is resumed or scored, rather than something else",
            next_step="name the checkpoint's path, or pass --experiment and --version",
        )
    return run / "checkpoints" / f"{wanted}.ckpt"


def _refuse_two(verb: str, rest: list[str]) -> None:
    if any(arg.partition("=")[0] == "--version" for arg in rest):
        raise UsageError(
            "--version and --ckpt_path name two detectors",
            next_step=f"deepfake-lightning {verb} with one of them",
        )


def _registered(verb: str, version: str, workspace: Workspace) -> Path:
    """Return the checkpoint that a version was made of."""
    registry = Registry(workspace)
    entry = registry.get(version)
    run = registry.run_of(entry)
    found = None if run is None else checkpoint_with(run, entry.checkpoint)
    if found is None:
        raise CheckpointError(
            f"the checkpoint that {entry.version} was made of is not in {run or workspace.runs}",
            why=f"{verb} scores checkpoints, and a version holds none",
            next_step=f"score its bundle: deepfake-lightning evaluate {entry.version}",
        )
    return found


def _settings(checkpoint: dict[str, Any], path: Path) -> dict[str, Any]:
    """Return the model's and the data's settings that a checkpoint was trained with."""
    model = checkpoint.get("hyper_parameters")
    data = checkpoint.get("datamodule_hyper_parameters")
    state = checkpoint.get("DeepfakeDataModule", {})
    if not model or not data or "preprocess" not in state:
        raise CheckpointError(
            f"{path} was not written by a training of this package",
            why="it lacks the settings of the network, the data or the preprocessing",
            next_step="pass its weights to a new training with --model.weights",
        )
    preprocess = state["preprocess"]
    as_trained = {
        "image_size": preprocess["size"],
        "mean": preprocess["mean"],
        "std": preprocess["std"],
        "interpolation": preprocess["interpolation"],
        "window": preprocess["aggregation"]["window"],
    }
    # Checkpoints of before faces were looked for have none of these.
    names = {"margin": "margin", "faces": "face_search", "sampling": "sampling"}
    as_trained |= {flag: preprocess[key] for key, flag in names.items() if key in preprocess}
    if preprocess.get("input") == "whole":
        as_trained["face"] = "none"  # also where what is scored are videos
    return {"model": _plain(model), "data": {**_plain(data), **as_trained}}


def _plain(hparams: dict[str, Any]) -> dict[str, Any]:
    plain = {key: value for key, value in hparams.items() if not key.startswith("_")}
    return {k: list(v) if isinstance(v, tuple) else v for k, v in plain.items()}
