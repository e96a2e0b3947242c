import pytest

from deepfake_lightning.cli.dispatch import main


def test_others_are_not_let_in_without_a_token(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("DEEPFAKE_TOKEN", raising=False)
    flags = ["--host", "0.0.0.0", "--port", "0", "--workspace", str(tmp_path)]
    assert main(["dashboard", *flags]) == 2
    said = capsys.readouterr().err
    assert "lets other machines in" in said
    assert "token create" in said


@pytest.mark.parametrize("flags", [["--env", "../x"], ["--log", " "]])
def test_what_cannot_be_is_said_before_anything_is_opened(tmp_path, capsys, flags):
    assert main(["dashboard", *flags, "--port", "0", "--workspace", str(tmp_path)]) == 2
    assert "Next:" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
