"""``python -m deepfake_lightning`` and the console script ``deepfake-lightning``."""

from __future__ import annotations

import io
import sys

from deepfake_lightning.cli import main
from deepfake_lightning.cli.commands import COMMANDS
from deepfake_lightning.cli.process import restart_tuned


def run() -> None:
    """Run the command line and end the process with its exit code."""
    for stream in (
        sys.stdout,
        sys.stderr,
    ):  # a name that a terminal cannot show is no reason to end
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    args = sys.argv[1:]
    if args and (command := COMMANDS.get(args[0])) and command.takes_args:  # the Trainer's verbs
        restart_tuned(args)
    sys.exit(main(args))


if __name__ == "__main__":
    run()
