"""``serve`` in ways that the product does not offer, to measure what its own costs.

``python serve_otherwise.py [--rows-dropped] [--faces-a-run N] serve FLAGS``; one process alone.
"""

from __future__ import annotations

import argparse
import sys

from deepfake_lightning.cli import main
from deepfake_lightning.monitoring.log.writer import LogWriter
from deepfake_lightning.serving.settings import Settings

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows-dropped", action="store_true", help="log no prediction")
    parser.add_argument("--faces-a-run", type=int, help="of the network, at most")
    given, rest = parser.parse_known_args()
    if given.rows_dropped:
        LogWriter.put = lambda self, request: True  # type: ignore[method-assign]
    if given.faces_a_run is not None:
        size = given.faces_a_run
        Settings.batch_size = property(lambda self: size)  # type: ignore[assignment, method-assign]
    sys.exit(main(rest))
