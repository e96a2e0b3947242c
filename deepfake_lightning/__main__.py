"""``python -m deepfake_lightning`` and the console script ``deepfake-lightning``."""

from __future__ import annotations

import sys

from deepfake_lightning.cli import main


def run() -> None:
    """Run the command line and end the process with its exit code."""
    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    run()
