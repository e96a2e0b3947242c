"""Trees of empty files, as a data set's naming rules make them, and what is found in them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from deepfake_lightning.data.layouts import Found, Options, find_layout

SHARED = Path(__file__).parents[4] / "shared" / "data"


@pytest.fixture(scope="session")
def plant() -> Callable[..., Path]:
    """Return a function that makes empty files below a root: ``plant(root, *names)``."""

    def make(root: Path, *names: str) -> Path:
        for name in names:
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return root

    return make


@pytest.fixture(scope="session")
def find() -> Callable[..., Found]:
    """Return a function that reads a root as the layout it must be recognised as."""

    def read(root: Path, layout: str, **options: object) -> Found:
        chosen = find_layout(root)
        assert chosen is not None
        assert chosen.name == layout
        return chosen.read(root, Options(**options))  # type: ignore[arg-type]

    return read


@pytest.fixture(scope="session")
def by_path(find: Callable[..., Found]) -> Callable[..., pd.DataFrame]:
    """Return a function that gives the rows by path, with None for what is missing."""

    def read(root: Path, layout: str, **options: object) -> pd.DataFrame:
        rows = find(root, layout, **options).manifest.rows.set_index("path").astype(object)
        return rows.where(rows.notna(), None)

    return read


@pytest.fixture(scope="session")
def shared() -> Callable[[str], Path]:
    """Return a function that gives a folder of real media beside the repository, or skips."""

    def get(name: str) -> Path:
        if not (SHARED / name).is_dir():
            pytest.skip(f"the real media {name} are not here")
        return SHARED / name

    return get
