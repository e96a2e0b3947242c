"""``predict`` as a command."""

from __future__ import annotations

import json
import os
import runpy
import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from deepfake_lightning.bundle.load import RECORD
from deepfake_lightning.cli import main
from deepfake_lightning.schemas import read_predictions

MEDIA = runpy.run_path(str(Path(__file__).parents[1] / "media" / "conftest.py"))


@pytest.fixture(scope="module")
def bundle(crop_bundle: Any) -> str:
    return str(crop_bundle.folder)


@pytest.fixture(scope="module")
def pictures(make_faces: Callable[..., Path], tmp_path_factory: Any) -> Path:
    """Return four real and four fake pictures. Read them only."""
    return make_faces(tmp_path_factory.mktemp("few") / "set", people=4)


def json_lines(text: str) -> list[dict[str, Any]]:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    return [json.loads(line, parse_constant=refuse) for line in text.splitlines()]


def mistake(capsys: Any, *args: str | Path) -> str:
    """Run what cannot work, and return what is said of it."""
    assert main(["predict", *map(str, args)]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "Traceback" not in shown.err
    assert len(shown.err.splitlines()) <= 5
    assert "Next: " in shown.err
    return str(shown.err)


def test_a_table_for_people(
    bundle: str, portrait_clips: Path, tmp_path: Path, capsys: Any, monkeypatch: Any
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    root = tmp_path / "a long name of a folder that has to be somewhere"
    for name in ("real/p0.mp4", "fake/two.mp4", "real/none.mp4", "real/broken.mp4"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(portrait_clips / name, root / name)
    shutil.copy(root / "real/p0.mp4", root / f"real/{'x' * 120}.mp4")
    out, drawn = tmp_path / "scores.parquet", tmp_path / "drawn"
    assert main(["predict", str(root), "--bundle", bundle, "--out", str(out), "--overlay",
                 str(drawn), "--workers", "1"]) == 3  # fmt: skip
    shown = capsys.readouterr().out
    table, _, rest = shown.partition("5 items: 3 scored, 1 without a face, 1 unreadable\n")
    assert max(map(len, table.splitlines())) <= 80
    assert "fake/two.mp4" in table and "no verdict" in table
    assert "2 items without a score" in table
    assert "is not a video" in " ".join(table.split())
    assert "the detector has not been calibrated" in rest
    assert "not covered: sound" in rest
    assert f"faces: {out}\n" in rest and f"pictures: {drawn}\n" in rest
    assert read_predictions(out)["video_id"].nunique() == 5
    assert len(list(drawn.rglob("*.jpg"))) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [root.name, out.name, "scores.items.parquet", "drawn"]
    )


def test_lines_for_programs(bundle: str, portrait_clips: Path, tmp_path: Path, capsys: Any) -> None:
    flat = tmp_path / "flat.png"
    assert cv2.imwrite(str(flat), np.zeros((60, 60, 3), np.uint8))
    inputs = [flat, portrait_clips / "fake/two.mp4", portrait_clips / "real/broken.mp4"]
    (tmp_path / "[red]\n\u2028é.jpg").write_bytes(flat.read_bytes())
    inputs.append(tmp_path / "[red]\n\u2028é.jpg")
    assert main(["predict", *map(str, inputs), "--bundle", bundle, "--json", "true"]) == 3
    records = json_lines(capsys.readouterr().out)
    assert {record["name"] for record in records} == set(map(str, inputs))
    two = next(record for record in records if record["name"].endswith("two.mp4"))
    assert (two["schema"], two["status"], two["media_type"]) == (1, "ok", "video")
    assert len(two["tracks"]) == 2 and two["examined"]["frames_in_clip"] == 12


def test_one_picture(bundle: str, pictures: Path, capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(pictures)
    assert (
        main(["predict", "real/person0.jpg", "--bundle", bundle, "--already_cropped", "true"]) == 0
    )
    shown = capsys.readouterr().out
    assert "real/person0.jpg" in shown
    assert "1 items: 1 scored" in shown
    assert "next: pass --out scores.parquet" in shown


def test_names_are_shown_as_they_are(
    bundle: str, tmp_path: Path, write_picture: Any, capsys: Any, monkeypatch: Any
) -> None:
    """Brackets are no style, and names do not move the cursor."""
    monkeypatch.chdir(tmp_path)
    for name in ("[/x].jpg", "x[red].jpg", "\x1b[2J.png", "Ärger 日本.jpg"):
        write_picture(Path("odd [bold]") / name.lstrip("/"))
    write_picture(tmp_path / "loose.jpg")
    (tmp_path / "odd [bold]/[x].mp4").write_text("text")
    crops = ["--bundle", bundle, "--already_cropped", "true"]
    args = ["loose.jpg", str(tmp_path / "odd [bold]"), *crops]
    assert main(["predict", *args]) == 3
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    for name in ("x[red].jpg", "?[2J.png", "Ärger 日本.jpg", "[x].mp4"):
        assert name in shown
    assert main(["predict", "odd [bold]", *crops]) == 3
    assert "in odd [bold]/" in capsys.readouterr().out


def test_the_highest_of_many(
    bundle: str, faces: Path, tmp_path: Path, capsys: Any, monkeypatch: Any
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["predict", str(faces), "--bundle", bundle]) == 0
    shown = capsys.readouterr().out
    assert "the 30 highest scores of 80 items" in " ".join(shown.split())
    rows = [line.split() for line in shown.splitlines() if "person" in line]
    scores = [float(row[1]) for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) == 30


# Of crops, tests/bundle/test_calibrating.py shows it with two engines.
@pytest.mark.parametrize("which", [pytest.param("crop", marks=pytest.mark.slow), "frame"])
def test_bundle_and_checkpoint_give_the_same_scores(
    request: pytest.FixtureRequest, pictures: Path, portrait_clips: Path, tmp_path: Path, which: str
) -> None:
    built = request.getfixturevalue(f"{which}_bundle")
    media = pictures if which == "crop" else portrait_clips / "fake/two.mp4"
    for name, flag, value in (("a.csv", "--bundle", built.folder),
                              ("b.csv", "--ckpt_path", built.checkpoint)):  # fmt: skip
        out = tmp_path / name
        args = ["predict", str(media), flag, str(value), "--out", str(out)]
        assert main([*args, "--workers", "1"] if which == "crop" else args) == 0
    first, second = (read_predictions(tmp_path / name) for name in ("a.csv", "b.csv"))
    assert first["path"].tolist() == second["path"].tolist()
    assert len(first) >= 8
    assert (first["logit"] - second["logit"]).abs().max() < 1e-4


def test_a_demo_detector_says_so(
    crop_bundle: Any, copy_bundle: Any, replace_file: Any, pictures: Path, capsys: Any
) -> None:
    note = "its scores say nothing of real ones"
    one = str(pictures / "real/person0.jpg")
    folder = copy_bundle(crop_bundle)
    record = json.loads((folder / RECORD).read_text())
    replace_file(folder, RECORD, json.dumps({**record, "demo": True}).encode())
    assert main(["predict", one, "--bundle", str(folder)]) == 0
    assert note in capsys.readouterr().out
    assert main(["predict", one, "--bundle", str(crop_bundle.folder)]) == 0
    assert note not in capsys.readouterr().out


def test_user_mistakes(
    crop_bundle: Any, copy_bundle: Any, pictures: Path, tmp_path: Path, capsys: Any
) -> None:
    good, one = ["--bundle", str(crop_bundle.folder)], str(pictures / "real/person0.jpg")
    assert "nothing to score" in mistake(capsys, *good)
    assert "no detector is named" in mistake(capsys, one)
    assert "--bundle and --ckpt_path name two detectors" in mistake(
        capsys, one, *good, "--ckpt_path", crop_bundle.checkpoint
    )
    assert f"{tmp_path}/gone" in mistake(capsys, one, "--bundle", tmp_path / "gone")
    assert f"{tmp_path}/gone.ckpt" in mistake(capsys, one, "--ckpt_path", tmp_path / "gone.ckpt")
    assert "gone.jpg does not exist" in mistake(capsys, tmp_path / "gone.jpg", *good)
    assert "did you mean --bundle" in mistake(capsys, one, "--bundel", "x")
    assert "runtime" in mistake(capsys, one, *good, "--runtime", "tensorflow")
    assert "workers is 0" in mistake(capsys, one, *good, "--workers", "0")
    assert "neither CSV, Parquet nor JSON" in mistake(capsys, one, *good, "--out", "a.txt")
    assert "ONNX runs bundles" in mistake(
        capsys, one, "--runtime", "onnx", "--ckpt_path", crop_bundle.checkpoint
    )
    taken = tmp_path / "taken.csv"
    taken.touch()
    assert "--overwrite" in mistake(capsys, one, *good, "--out", taken)
    tampered = copy_bundle(crop_bundle)
    data = bytearray((tampered / "model.onnx").read_bytes())
    data[len(data) // 2] ^= 1
    (tampered / "model.onnx").write_bytes(data)
    assert "model.onnx" in mistake(capsys, one, "--bundle", tampered)


def test_pipes_are_refused(bundle: str, tmp_path: Path, capsys: Any) -> None:
    os.mkfifo(tmp_path / "pipe")
    said = mistake(capsys, tmp_path / "pipe", "--bundle", bundle)
    assert "neither a file nor a folder" in said


def test_drawn_pictures_are_not_put_among_the_inputs(
    bundle: str, pictures: Path, tmp_path: Path, capsys: Any
) -> None:
    """Whoever goes on after an interruption would score them as well."""
    root = shutil.copytree(pictures, tmp_path / "set")
    for place in (root, root / "drawn"):
        said = mistake(capsys, root, "--bundle", bundle, "--overlay", place)
        assert "would score the drawn pictures" in said
    assert not (root / "drawn").exists()


def test_interrupted_it_says_how_to_go_on(
    bundle: str, pictures: Path, tmp_path: Path, capsys: Any, monkeypatch: Any
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("deepfake_lightning.inference.archive.score_archive", interrupt)
    args = ["predict", str(pictures), "--bundle", bundle]
    assert main(args) == 130
    assert "nothing is kept" in capsys.readouterr().out
    assert main([*args, "--out", str(tmp_path / "a.csv")]) == 130
    assert "the same command goes on" in capsys.readouterr().out


def test_help(capsys: Any) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["predict", "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    for word in ("--bundle", "--ckpt_path", "--out", "--overlay", "--json", "inputs", "Exit codes",
                 "example: deepfake-lightning predict"):  # fmt: skip
        assert word in shown


def huge_header(path: Path) -> None:
    """A PNG of a few bytes that claims 100,000 x 100,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels)
                     + chunk(b"IEND", b""))  # fmt: skip


UNREADABLE = {
    "a clip.jpg": "cannot be decoded",
    "empty.jpg": "is empty",
    "half.jpg": "cannot be decoded",
    "half.png": "cannot be decoded",
    "huge.png": "claims 100000 x 100000 pixels",
    "text.jpg": "cannot be decoded",
    "clips/all_zeroed.mp4": "holds no frame that can be decoded",
    "clips/audio_only.mp4": "holds no video",
    "clips/empty.mp4": "is empty",
    "clips/jpeg.mp4": "is a picture, not a video",
    "clips/script.mp4": "is not a video",
    "clips/text.mp4": "is not a video",
    "clips/without_index.mp4": "is not finished",
}


@pytest.fixture
def damaged(make_clip: Callable[..., Path], portrait_clips: Path, tmp_path: Path) -> Path:
    """Return a folder of every kind of damaged clip and picture, and a few good ones."""
    from skimage.data import astronaut

    sources, root = tmp_path / "sources", tmp_path / "archive"
    sources.mkdir()

    def clip(name: str) -> Path:
        path = sources / name
        if path.exists():
            return path
        if name in MEDIA["OPTIONS"]:
            return make_clip(path, **MEDIA["OPTIONS"][name])
        MEDIA["DAMAGE"][name](path, clip)
        return path

    for name in MEDIA["DAMAGE"]:
        (root / "clips").mkdir(parents=True, exist_ok=True)
        shutil.copy(clip(name), root / "clips" / name)
    shutil.copy(portrait_clips / "fake/two.mp4", root / "clips/good.mp4")
    face = cv2.cvtColor(astronaut(), cv2.COLOR_RGB2BGR)
    for name in ("good.jpg", "good.png", "half.jpg", "half.png"):
        assert cv2.imwrite(str(root / name), face)
    for name in ("half.jpg", "half.png"):
        data = (root / name).read_bytes()
        (root / name).write_bytes(data[: len(data) // 20])
    (root / "empty.jpg").touch()
    (root / "text.jpg").write_text("<html>404 Not Found</html>")
    huge_header(root / "huge.png")
    shutil.copy(portrait_clips / "real/p0.mp4", root / "a clip.jpg")
    assert cv2.imwrite(str(root / "no face.png"), np.full((200, 200, 3), 90, np.uint8))
    return root


def test_every_damaged_file_is_one_row_and_the_good_ones_are_scored(
    frame_bundle: Any, damaged: Path, tmp_path: Path, capsys: Any
) -> None:
    out = tmp_path / "a.csv"
    assert main(["predict", str(damaged), "--bundle", str(frame_bundle.folder), "--out", str(out),
                 "--overlay", str(tmp_path / "drawn"), "--json", "true"]) == 3  # fmt: skip
    found = {record["name"].removeprefix(f"{damaged}/"): record
             for record in json_lines(capsys.readouterr().out)}  # fmt: skip
    files = {str(path.relative_to(damaged)) for path in damaged.rglob("*") if path.is_file()}
    assert set(found) == files
    assert len(files) == len(MEDIA["DAMAGE"]) + 10
    statuses = {name: record["status"] for name, record in found.items()}
    reasons = {name: record["reason"] or "" for name, record in found.items()}
    assert {name for name, status in statuses.items() if status == "ok"} == {
        "good.jpg", "good.png", "clips/good.mp4",
    }  # fmt: skip
    assert {name for name, status in statuses.items() if status == "unreadable"} == set(UNREADABLE)
    for name, fault in UNREADABLE.items():
        assert fault in reasons[name]
    for name, record in found.items():
        scored = record["status"] == "ok"
        assert scored == (record["reason"] is None), name
        assert (record["verdict"] == "not_assessable") != scored, name
    rows = read_predictions(out)
    assert set(rows["path"]) == files
    assert rows.drop_duplicates("path").set_index("path")["status"].to_dict() == statuses
    drawn = {str(path.relative_to(tmp_path / "drawn")) for path in tmp_path.rglob("drawn/**/*.jpg")}
    assert len(drawn) == 3
