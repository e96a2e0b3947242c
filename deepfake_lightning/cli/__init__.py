"""The command line: a table of commands, each imported when it is called."""

from deepfake_lightning.cli.dispatch import main

__all__ = ["main"]
