"""From what was typed to a command's exit code. Imports nothing heavy."""

from __future__ import annotations

import difflib
import os
import sys
from pathlib import Path

from deepfake_lightning.cli.commands import COMMANDS, Command
from deepfake_lightning.errors import DeepfakeLightningError, UsageError
from deepfake_lightning.passwords import without_passwords

PROGRAM = "deepfake-lightning"
INTERRUPTED = 130  # 128 + SIGINT, as shells have it


def main(args: list[str]) -> int:
    """Run a command.

    Args:
        args: as typed, without the program's name.

    Returns:
        0 for success, 2 for what the user can put right, 1 for what the machine did,
        130 for an interruption.
    """
    try:
        name, rest = _command(args)
        if name is None:
            sys.stdout.write(_overview(rest))
            return 0
        return _run(name, COMMANDS[name], rest)
    except DeepfakeLightningError as error:
        return _fail(error)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (head, less) has gone: nothing is left to say, and no one to say it to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _command(args: list[str]) -> tuple[str | None, list[str]]:
    """Split what was typed into a command and its arguments; None asks for the overview."""
    if not args or args[0] in ("-h", "--help", "help"):
        return None, []
    if args[0] == "--version":
        from deepfake_lightning import __version__

        sys.stdout.write(f"{PROGRAM} {__version__}\n")
        raise SystemExit(0)
    if args[0] in COMMANDS:
        return args[0], args[1:]
    two = " ".join(args[:2])
    if two in COMMANDS:
        return two, args[2:]
    group = [name for name in COMMANDS if name.startswith(f"{args[0]} ")]
    if group and (len(args) == 1 or args[1] in ("-h", "--help")):
        return None, [args[0]]
    near = difflib.get_close_matches(two, COMMANDS, n=1) or difflib.get_close_matches(
        args[0], COMMANDS, n=1
    )
    raise UsageError(
        f"unknown command {two if group else args[0]!r}",
        next_step=f"did you mean `{near[0]}`?" if near else f"`{PROGRAM} --help` lists them",
    )


def _overview(group: list[str]) -> str:
    shown = {
        name: command
        for name, command in COMMANDS.items()
        if not group or name.startswith(f"{group[0]} ")
    }
    width = max(map(len, shown)) + 2
    lines = [f"usage: {PROGRAM} COMMAND [OPTIONS]", ""]
    lines += [f"  {name:<{width}}{command.summary}" for name, command in shown.items()]
    lines += ["", f"`{PROGRAM} COMMAND --help` has a command's options. For example:", ""]
    lines += [f"  {PROGRAM} {command.example}" for command in shown.values()]
    return "\n".join(lines) + "\n"


def _run(name: str, command: Command, rest: list[str]) -> int:
    if command.takes_args:
        # A callback of one's own is named by its path from the current folder; at the end, so
        # that nothing there stands in for an installed package.
        if str(Path.cwd()) not in sys.path:
            sys.path.append(str(Path.cwd()))
        return int(command.load()(rest) or 0)
    from deepfake_lightning.cli.function_arguments import call

    return call(command.load(), rest, f"{PROGRAM} {name}", f"{PROGRAM} {command.example}")


def _fail(error: DeepfakeLightningError) -> int:
    # PyTorch hands on a loader process's error as the text of its traceback.
    text = str(error).rpartition(f"{type(error).__name__}: ")[2]
    sys.stderr.write(f"error: {without_passwords(text.strip())}\n")  # a flag may be repeated there
    return error.exit_code
