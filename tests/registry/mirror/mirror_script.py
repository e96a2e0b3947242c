"""Mirrors a registry in a process to be killed: python mirror_script.py WORKSPACE URI NAME."""

from __future__ import annotations

import sys
from pathlib import Path

from deepfake_lightning.registry import Registry
from deepfake_lightning.registry.mirror.place import Names
from deepfake_lightning.registry.mirror.pushing import mirror
from deepfake_lightning.registry.mirror.server import open_server
from deepfake_lightning.storage import Workspace

if __name__ == "__main__":
    print("ready", flush=True)
    with open_server(sys.argv[2]) as server:
        names = Names(sys.argv[3], sys.argv[3])
        mirror(Registry(Workspace(Path(sys.argv[1]))), server, names=names)
    print("done", flush=True)
