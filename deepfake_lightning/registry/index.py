"""``metadata.json``: the versions that there are, and all that was ever done to them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from deepfake_lightning.errors import RegistryError, StorageError, UsageError
from deepfake_lightning.registry.record import Change, Entry
from deepfake_lightning.schemas.version_names import canonical
from deepfake_lightning.storage import atomic_write

INDEX = "metadata.json"
REPAIR = "deepfake-lightning registry verify --repair true"


class Entries(Mapping[str, Entry]):
    """Version -> what is kept of it. Of thousands, those that are asked for are read.

    Args:
        plain: version -> its record, as in the file.
    """

    def __init__(self, plain: Mapping[str, dict[str, Any]] | None = None) -> None:
        self.plain = dict(plain or {})

    def __getitem__(self, version: str) -> Entry:
        try:
            return Entry.model_validate(self.plain[version])
        except ValidationError as error:
            fault = error.errors()[0]
            where = ".".join(map(str, fault["loc"]))
            raise _damaged(f"{INDEX}: {version}", f"{where}: {fault['msg']}") from error

    def __iter__(self) -> Iterator[str]:
        return iter(self.plain)

    def __len__(self) -> int:
        return len(self.plain)

    def __contains__(self, version: object) -> bool:
        return version in self.plain


@dataclass(frozen=True)
class Index:
    """What the file says.

    Attributes:
        entries: the versions that there are.
        history: what was done, in order; nothing is ever taken out of it.
    """

    entries: Entries = field(default_factory=Entries)
    history: tuple[Change, ...] = ()

    def known(self) -> set[str]:
        """Return all versions that there are or ever were: no number is given twice."""
        return {*self.entries, *(change.version for change in self.history)}

    def last_change(self, version: str) -> Change | None:
        """Return what was last done to a version."""
        return next((one for one in reversed(self.history) if one.version == version), None)

    def with_entry(self, entry: Entry, change: Change) -> Index:
        """Return the index with one more version, or another record of it."""
        plain = {**self.entries.plain, entry.version: entry.to_dict()}
        return Index(Entries(plain), (*self.history, change))

    def without(self, change: Change) -> Index:
        """Return the index without a version, and with the line that says why."""
        left = {name: one for name, one in self.entries.plain.items() if name != change.version}
        return Index(Entries(left), (*self.history, change))


def read_index(root: Path) -> Index:
    """Return the index of a registry; one without a file is empty.

    Raises:
        RegistryError: it is damaged, or newer than this version.
        StorageError: it cannot be read.
    """
    path = root / INDEX
    try:
        content = json.loads(path.read_text("utf-8"))
        _check_schema(path, content)
        entries = {canonical(name): dict(one) for name, one in content["versions"].items()}
        history = tuple(Change.model_validate(one) for one in content["history"])
    except FileNotFoundError:
        return Index()
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(map(str, fault["loc"])) or "an entry"
        raise _damaged(path, f"{where}: {fault['msg']}") from error
    except OSError as error:  # which says nothing of what is in it
        raise StorageError(
            f"{path} cannot be read: {error.strerror or error}",
            next_step="fix permissions there, then run the command again",
        ) from error
    except UsageError as error:
        raise _damaged(path, error.what) from error
    except (ValueError, RecursionError, KeyError, AttributeError, TypeError) as error:
        raise _damaged(path, str(error)[:200]) from error
    return Index(Entries(entries), history)


def write_index(root: Path, index: Index) -> None:
    """Write the index, whole or not at all: a line a version, so that two can be compared."""
    with atomic_write(root / INDEX, "w") as file:
        file.writelines(_lines(index))


def _lines(index: Index) -> Iterator[str]:
    yield '{"schema": 1,\n"versions": {'
    for place, (version, entry) in enumerate(index.entries.plain.items()):
        yield f"{',' if place else ''}\n{json.dumps(version)}: {_plain(entry)}"
    yield '\n},\n"history": ['
    for place, change in enumerate(index.history):
        yield f"{',' if place else ''}\n{_plain(change.model_dump(mode='json'))}"
    yield "\n]}\n"


def _plain(record: dict[str, Any]) -> str:
    return json.dumps(record, allow_nan=False, ensure_ascii=False)


def _check_schema(path: Path, content: Any) -> None:
    if isinstance(content.get("schema"), int) and content["schema"] > 1:
        raise RegistryError(
            f"{path}: schema {content['schema']} is newer than this version reads (1)",
            next_step="upgrade deepfake-lightning",
        )


def _damaged(path: Path | str, fault: str) -> RegistryError:
    return RegistryError(
        f"{path} is damaged: {fault}",
        why="the versions themselves are in their folders, and can be listed anew",
        next_step=REPAIR,
    )
