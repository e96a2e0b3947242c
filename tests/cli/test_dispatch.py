"""What was typed, and what comes of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deepfake_lightning.cli import main
from deepfake_lightning.cli.commands import COMMANDS


def test_help_lists_every_command(capsys: Any) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    for name, command in COMMANDS.items():
        assert name in shown
        assert command.summary in shown
        assert command.example in shown


def test_no_arguments_give_the_help(capsys: Any) -> None:
    assert main([]) == 0
    assert "usage" in capsys.readouterr().out


def test_help_of_a_group_lists_the_group_only(capsys: Any) -> None:
    assert main(["data", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "data demo" in shown
    assert "train a detector" not in shown


@pytest.mark.parametrize(
    ("args", "near"),
    [(["fitt"], "fit"), (["data", "dmo"], "data demo"), (["datademo"], "data demo")],
)
def test_an_unknown_command_exits_2_with_the_nearest(
    args: list[str], near: str, capsys: Any
) -> None:
    assert main(args) == 2
    assert f"`{near}`" in capsys.readouterr().err


def test_an_unknown_flag_exits_2_with_the_nearest(capsys: Any) -> None:
    assert main(["data", "demo", "--identitis", "9"]) == 2
    error = capsys.readouterr().err
    assert "--identities" in error
    assert len(error.splitlines()) <= 5


def test_an_abbreviated_flag_is_refused(capsys: Any) -> None:
    assert main(["data", "demo", "--ident", "9"]) == 2
    assert "--identities" in capsys.readouterr().err


def test_a_value_of_the_wrong_type_names_the_flag(capsys: Any) -> None:
    assert main(["data", "demo", "--identities", "many"]) == 2
    assert "identities" in capsys.readouterr().err


def test_every_command_is_there_and_documented() -> None:
    for command in COMMANDS.values():
        function = command.load()
        assert function.__doc__


@pytest.mark.parametrize("args", [["--help"], ["--version"], ["data", "demo", "--help"]])
def test_light_commands_import_nothing_heavy(args: list[str]) -> None:
    code = (
        "import sys\nfrom deepfake_lightning.cli import main\n"
        f"try:\n    main({args!r})\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'lightning', 'cv2', 'pandas', 'timm'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


def test_commands_of_every_hour_import_nothing_that_they_do_not_need(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom deepfake_lightning.cli import main\n"
        "for args in (['alerts', 'list'], ['abtest', 'status'], ['feedback', 'list'],\n"
        "             ['log', 'show'], ['registry', 'list'], ['deploy', 'status']):\n"
        "    main(args)\n"
        "heavy = {'torch', 'lightning', 'pandas', 'scipy.stats', 'scipy.optimize', 'sklearn'}\n"
        "sys.exit(f'imported {found}' if (found := heavy & set(sys.modules)) else 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False,
        cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_importing_the_package_imports_no_torch() -> None:
    code = "import sys, deepfake_lightning; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


def test_the_version_is_the_packages(capsys: Any) -> None:
    from importlib.metadata import version

    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert version("deepfake-lightning") in capsys.readouterr().out
