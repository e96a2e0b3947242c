"""How a version came to be registered, and what the index keeps of it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from deepfake_lightning.schemas.measured import MeasuredValue

REGISTRATION = "registration.json"
Event = Literal["register", "delete", "repair"]


# One folder: what is told of a training never leads out of the workspace.
_Name = Annotated[str, Field(pattern=r"^[\w+-][\w.+-]*$")]


class Source(BaseModel):
    """The training that a version is of, by names that mean nothing outside its workspace.

    Attributes:
        experiment: of the training.
        run: name of its folder below the experiment.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    experiment: _Name
    run: _Name


class Registration(BaseModel):
    """The file ``registration.json`` in a version's folder: who registered it, when and why.

    Attributes:
        schema_version: version of this record (``schema`` in the file).
        version: ``v1.0.0``.
        registered: UTC, RFC 3339.
        by: who.
        reason: why, in the words of whoever did.
        parent: the version it was made from or is to follow; None for none.
        source: the training; None where it is not known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_version: Literal[1] = Field(default=1, alias="schema")
    version: str
    registered: str
    by: str
    reason: str = ""
    parent: str | None = None
    source: Source | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the record as plain JSON types."""
        return self.model_dump(mode="json", by_alias=True)


class Entry(BaseModel):
    """A version as the index lists it: enough for a table, without opening its folder.

    Attributes:
        registration: see :class:`Registration`.
        digest: SHA-256 over the hashes of all its files: what it has to be for ever.
        checkpoint: SHA-256 of the checkpoint it was built from.
        backbone: timm's name of the network.
        is_demo: trained on drawn faces.
        bytes: size of its files.
        verdicts: kinds of media that it is calibrated for.
        split, items: what it was measured on; None where it was not.
        metrics: of items: ``auroc``, ``eer``, ...; empty where it was not measured.
        licences: of the training data.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    registration: Registration
    digest: str
    checkpoint: str
    backbone: str
    is_demo: bool
    bytes: int
    verdicts: tuple[str, ...] = ()
    split: str | None = None
    items: int | None = None
    metrics: dict[str, MeasuredValue] = {}
    licences: tuple[str, ...] = ()

    @property
    def version(self) -> str:
        """Its name."""
        return self.registration.version

    def to_dict(self) -> dict[str, Any]:
        """Return the record as plain JSON types."""
        return self.model_dump(mode="json", by_alias=True)


class Change(BaseModel):
    """A line of the history.

    Attributes:
        at: UTC, RFC 3339.
        event: what was done.
        version: to which version.
        digest: of its bundle.
        by: who.
        reason: why.
        parent: of the version.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: str
    event: Event
    version: str
    digest: str | None
    by: str
    reason: str = ""
    parent: str | None = None
