"""What is changed, missing or foreign in a bundle is found, and named."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from deepfake_lightning.bundle import load_bundle, verify
from deepfake_lightning.bundle.checksums import SUMS, read_sums, write_sums
from deepfake_lightning.errors import BundleError

Copy = Callable[..., Path]
DIGEST = "0f" * 32


def names(bundle: Path) -> list[str]:
    return sorted(p.relative_to(bundle).as_posix() for p in bundle.rglob("*") if p.is_file())


def refused(bundle: Path, named: str) -> BundleError:
    """Assert that neither verifying nor loading lets a bundle pass; return the error."""
    for use in (verify, load_bundle):
        with pytest.raises(BundleError, match=re.escape(named)) as caught:
            use(bundle)
    assert caught.value.next_step
    return caught.value


def test_a_whole_bundle_passes_and_its_digest_is_that_of_its_list(crop_bundle: Any) -> None:
    data = (crop_bundle.folder / SUMS).read_bytes()
    assert verify(crop_bundle.folder) == hashlib.sha256(data).hexdigest()
    assert load_bundle(crop_bundle.folder).digest == verify(crop_bundle.folder)
    listed = [line.split("  ")[1] for line in data.decode().splitlines()]
    assert listed == [name for name in names(crop_bundle.folder) if name != SUMS]


def test_sha256sum_says_the_same(crop_bundle: Any, copy_bundle: Copy) -> None:
    program = shutil.which("sha256sum")
    if program is None:
        pytest.skip("compares with the sha256sum program")

    def agrees(bundle: Path) -> bool:
        command = [program, "--strict", "--quiet", "-c", SUMS]
        return subprocess.run(command, cwd=bundle, capture_output=True).returncode == 0

    assert agrees(crop_bundle.folder)
    changed = copy_bundle(crop_bundle)
    (changed / "model.onnx").write_bytes(b"other")
    assert not agrees(changed)


def test_one_changed_byte_anywhere_is_found(crop_bundle: Any, copy_bundle: Copy) -> None:
    bundle, generator = copy_bundle(crop_bundle), np.random.default_rng(0)
    for name in names(bundle):
        path = bundle / name
        whole = path.read_bytes()
        places = {0, len(whole) - 1, *generator.integers(0, len(whole), 6).tolist()}
        for place in sorted(places):
            data = bytearray(whole)
            data[place] ^= 1 << int(generator.integers(8))
            path.write_bytes(data)
            # A hash that was changed no longer fits the file that it is of.
            refused(bundle, str(bundle if name == SUMS else path))
        path.write_bytes(whole)
    assert verify(bundle)


@pytest.mark.parametrize("cut", [1, 1000, None])
def test_a_truncated_file_is_found(crop_bundle: Any, copy_bundle: Copy, cut: int | None) -> None:
    bundle = copy_bundle(crop_bundle)
    path = bundle / "model.safetensors"
    path.write_bytes(path.read_bytes()[: -cut if cut else 0])
    refused(bundle, str(path))


def test_every_missing_file_is_named(crop_bundle: Any, copy_bundle: Copy) -> None:
    bundle = copy_bundle(crop_bundle)
    for name in names(bundle):
        (bundle / name).rename(bundle.parent / "aside")
        refused(bundle, name)
        (bundle.parent / "aside").rename(bundle / name)
    assert verify(bundle)


def test_a_file_that_was_not_built_is_missed_in_a_list_that_fits(
    crop_bundle: Any, copy_bundle: Copy
) -> None:
    """Whoever removes a file and its line leaves a list that is in order, and no bundle."""
    bundle = copy_bundle(crop_bundle)
    for name in names(bundle):
        if name == SUMS or name.endswith(".png"):
            continue
        whole = (bundle / name).read_bytes()
        (bundle / name).unlink()
        write_sums(bundle)
        with pytest.raises(BundleError, match=re.escape(name)):
            load_bundle(bundle)
        (bundle / name).write_bytes(whole)


@pytest.mark.parametrize("name", ["notes.txt", "golden/5.png", ".hidden", "more/deep/code.py"])
def test_a_foreign_file_is_named(crop_bundle: Any, copy_bundle: Copy, name: str) -> None:
    bundle = copy_bundle(crop_bundle)
    (bundle / name).parent.mkdir(parents=True, exist_ok=True)
    (bundle / name).write_text("x")
    assert "does not belong" in refused(bundle, str(bundle / name)).what


@pytest.mark.parametrize("name", ["model.onnx", "golden", SUMS])
def test_links_are_refused_though_what_they_lead_to_is_right(
    crop_bundle: Any, copy_bundle: Copy, name: str
) -> None:
    bundle = copy_bundle(crop_bundle)
    (bundle / name).rename(bundle.parent / "elsewhere")
    (bundle / name).symlink_to(bundle.parent / "elsewhere")
    refused(bundle, name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize("name", ["model.onnx", SUMS])
def test_a_pipe_is_not_waited_for(crop_bundle: Any, copy_bundle: Copy, name: str) -> None:
    bundle = copy_bundle(crop_bundle)
    (bundle / name).unlink()
    os.mkfifo(bundle / name)
    refused(bundle, name)


def test_a_folder_in_the_place_of_a_file(crop_bundle: Any, copy_bundle: Copy) -> None:
    bundle = copy_bundle(crop_bundle)
    (bundle / "model.onnx").unlink()
    (bundle / "model.onnx").mkdir()
    refused(bundle, "model.onnx")


def test_what_is_no_bundle_at_all(tmp_path: Path, crop_bundle: Any) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    other_tool = tmp_path / "hub_model"
    other_tool.mkdir()
    for name in ("config.json", "model.safetensors", "README.md"):
        (other_tool / name).write_text("{}")
    a_file = crop_bundle.checkpoint
    for folder in (empty, other_tool, tmp_path / "nowhere", a_file, crop_bundle.run):
        error = refused(folder, str(folder))
        assert "is not a bundle" in error.what
        assert "bundle build" in error.next_step


def test_a_list_of_another_tool_is_no_bundle(tmp_path: Path) -> None:
    (tmp_path / "iso.img").write_text("x")
    write_sums(tmp_path)
    with pytest.raises(BundleError, match=r"bundle\.json"):
        load_bundle(tmp_path)


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


LISTS: dict[str, Callable[[str], str]] = {
    "empty": lambda text: "",
    "no end of the last line": lambda text: text[:-1],
    "half of a line": lambda text: text[:-20],
    "a line twice": lambda text: _lines(text)[0] + text,
    "a name twice, with two hashes": lambda text: text + f"{DIGEST}  {_lines(text)[-1][66:]}",
    "another order": lambda text: "".join(reversed(_lines(text))),
    "upper case": lambda text: text[:64].upper() + text[64:],
    "all upper case": lambda text: "".join(line[:64].upper() + line[64:] for line in _lines(text)),
    "one space": lambda text: text.replace("  ", " "),
    "binary mode": lambda text: text.replace("  ", " *"),
    "Windows line ends": lambda text: text.replace("\n", "\r\n"),
    "a byte order mark": lambda text: "\ufeff" + text,
    "an empty line": lambda text: text + "\n",
    "a comment": lambda text: "# all is well\n" + text,
    "an escaped name": lambda text: f"\\{DIGEST}  a\\nb\n" + text,
    "the folder above": lambda text: f"{DIGEST}  ../secret\n" + text,
    "the folder above, within": lambda text: f"{DIGEST}  golden/../../secret\n" + text,
    "an absolute name": lambda text: f"{DIGEST}  /etc/passwd\n" + text,
    "a name with a drive": lambda text: f"{DIGEST}  C:\\secret\n" + text,
    "this folder": lambda text: f"{DIGEST}  ./model.onnx\n" + text,
    "a name with two slashes": lambda text: f"{DIGEST}  golden//a.png\n" + text,
    "no name": lambda text: f"{DIGEST}  \n" + text,
    "a zero byte": lambda text: f"{DIGEST}  a\0b\n" + text,
    "not ASCII": lambda text: f"{DIGEST}  ä.png\n" + text,
    "itself": lambda text: "".join(sorted([*_lines(text), f"{DIGEST}  {SUMS}\n"], key=_name)),
    "huge": lambda text: text + f"{DIGEST}  zzz\n" * 100_000,
}


def _name(line: str) -> str:
    return line[66:]


@pytest.mark.parametrize("how", LISTS)
def test_a_list_that_is_not_as_written_is_refused(
    crop_bundle: Any, copy_bundle: Copy, tmp_path: Path, how: str
) -> None:
    (tmp_path / "secret").write_text("x")
    bundle = copy_bundle(crop_bundle)
    with (bundle / SUMS).open("r+", newline="") as file:
        text = LISTS[how](file.read())
        file.seek(0)
        file.truncate()
        file.write(text)
    refused(bundle, str(bundle / SUMS) if how != "empty" else SUMS)


PARTS = st.from_regex(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,8}", fullmatch=True)
NAMES = st.lists(PARTS, min_size=1, max_size=3).map("/".join)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(files=st.dictionaries(NAMES, st.binary(max_size=50), min_size=1, max_size=6))
def test_what_is_written_is_read(
    files: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("any")
    kept = {}
    for name, data in files.items():
        path = folder / name
        if name == SUMS or any(
            (folder / parent).is_file() for parent in PurePosixPath(name).parents
        ):
            continue
        if path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        kept[name] = hashlib.sha256(data).hexdigest()
    if kept:
        digest = write_sums(folder)
        assert read_sums(folder) == (kept, digest)
        assert verify(folder) == digest


LINES = st.one_of(
    st.text(max_size=80),
    st.builds("{}  {}".format, st.from_regex(r"[0-9a-fA-F]{63,65}", fullmatch=True),
              st.one_of(NAMES, st.text("./\\ab \r\0é", max_size=12))),
)  # fmt: skip


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(lines=st.lists(LINES, max_size=5), end=st.sampled_from(["\n", ""]))
@example(lines=[f"{DIGEST}  a/../../b"], end="\n")
@example(lines=[f"{DIGEST}  a", f"{DIGEST}  b"], end="\n")
def test_any_text_is_a_list_of_plain_names_or_refused(
    lines: list[str], end: str, tmp_path: Path
) -> None:
    data = ("\n".join(lines) + end).encode("utf-8", errors="surrogatepass")
    (tmp_path / SUMS).write_bytes(data)
    try:
        sums, digest = read_sums(tmp_path)
    except BundleError:
        return
    assert digest == hashlib.sha256(data).hexdigest()
    # Nothing was left out or read otherwise than it is written, and no name leads elsewhere.
    assert "".join(f"{value}  {name}\n" for name, value in sums.items()).encode() == data
    for name in sums:
        assert not {"", ".", ".."} & set(name.split("/"))
        assert (tmp_path / name).resolve().is_relative_to(tmp_path.resolve())
