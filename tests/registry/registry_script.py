"""Works on a registry: python registry_script.py WORKSPACE BUNDLE TASK NUMBER.

``any``, with a seed, registers, deletes and repairs until it is killed; ``at_once`` registers with
so many processes. Prints ``ready`` when it begins, and each version that it has registered or
deleted, once it has.
"""

from __future__ import annotations

import multiprocessing
import random
import sys
from pathlib import Path

from deepfake_lightning.errors import UsageError
from deepfake_lightning.registry import (
    Registry,
    Wish,
    delete_version,
    register_bundle,
    repair_registry,
)
from deepfake_lightning.storage import Workspace


def say(*words: str) -> None:
    print(*words, flush=True)


def register(registry: Registry, bundle: Path) -> None:
    entry = register_bundle(registry, bundle, Wish(part="patch", reason="by a process"))
    say("registered", entry.version, entry.digest)


def delete(registry: Registry, chance: random.Random) -> None:
    versions = [entry.version for entry in registry.entries()]
    if not versions:
        return
    version = chance.choice(versions)
    say("deleting", version)
    try:
        delete_version(registry, version, reason="a test")
    except UsageError:  # another process was faster
        return
    say("deleted", version)


def main(workspace: str, bundle: str, task: str, number: str) -> int:
    registry, chance = Registry(Workspace(Path(workspace))), random.Random(int(number))
    say("ready")
    if task == "at_once":
        fork = multiprocessing.get_context("fork")  # what is imported need not be again
        several = [fork.Process(target=register, args=(registry, Path(bundle)))
                   for _ in range(int(number))]  # fmt: skip
        for process in several:
            process.start()
        for process in several:
            process.join()
        return max(process.exitcode or 0 for process in several)
    while True:
        done = chance.random()
        if done < 0.55:
            register(registry, Path(bundle))
        elif done < 0.8:
            delete(registry, chance)
        else:
            repair_registry(registry)
            say("repaired")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
