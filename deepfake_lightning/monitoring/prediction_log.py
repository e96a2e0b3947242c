"""The prediction log: one row for each request, with the scores of its items.

It holds no pictures, no file names and nothing of who asked; what it holds of a request goes with
:meth:`PredictionLog.erase`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Self

from sqlalchemy import delete, func, insert, select
from sqlalchemy.exc import SQLAlchemyError

from deepfake_lightning.errors import StorageError
from deepfake_lightning.monitoring.log_tables import (
    connect,
    create_tables,
    item_scores,
    log_url,
    requests,
)
from deepfake_lightning.schemas.assessment import Assessment
from deepfake_lightning.storage import lock


@dataclass(frozen=True, slots=True)
class ItemScore:
    """What was found out about one item of a request.

    Attributes:
        item: its place in the request; 0 where there is one picture.
        status: ``ok``, ``no_face`` or ``unreadable``.
        logit, score: None without a score.
        calibrated: whether the score was.
        faces, tracks: how many were scored.
    """

    item: int
    status: str
    logit: float | None
    score: float | None
    calibrated: bool
    faces: int
    tracks: int


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One request, as it is kept.

    Attributes:
        id: of the request; the answer names it.
        ts_us: when it came, in microseconds since 1970, UTC.
        version: of the detector.
        bundle: the detector's digest (SHA-256).
        route: ``/v1/predict`` or ``predict``, the command.
        http_status: of the answer; the command's are what the server would have said.
        bytes: size of what was sent.
        latency_us: from the request to its answer.
        error: a short code where there is no result, such as ``unreadable``.
        media_type, verdict, media_us, network_us, items: of the result; ``append`` fills them in.
    """

    id: str
    ts_us: int
    version: str
    bundle: str
    route: str
    http_status: int
    bytes: int
    latency_us: int
    error: str | None = None
    media_type: str | None = None
    verdict: str | None = None
    media_us: int | None = None
    network_us: int | None = None
    items: tuple[ItemScore, ...] = ()


class PredictionLog:
    """A log in an SQLite file, or in any database that SQLAlchemy has a driver for.

    One object serves all threads. Processes open their own: SQLite's write-ahead log lets them
    write side by side.

    Args:
        place: path of an SQLite file, which is made with its folder, or a database's URL.

    Raises:
        StorageError: it cannot be opened.
        UsageError: an address that cannot work, or a log of a newer version.
    """

    def __init__(self, place: str | Path) -> None:
        url = log_url(place)
        file = Path(url.database or "") if url.get_backend_name() == "sqlite" else None
        # Parameters are left out: drivers take passwords there, too.
        self.name = str(file or url.set(query={}).render_as_string(hide_password=True))
        self._engine = connect(url)
        # Two processes that make one log at a time would each find half of it.
        with lock(file) if file else nullcontext(), self._typed_errors("opened"):
            create_tables(self._engine, self.name)

    def append(self, request: LoggedRequest, assessment: Assessment | None = None) -> None:
        """Write a request and its result, both or neither.

        Args:
            request: what was asked, and how it went.
            assessment: the result; None where there was none.

        Raises:
            StorageError: it could not be written.
        """
        if assessment is not None:
            request = _with_result(request, assessment)
        row = asdict(request)
        items = row.pop("items")
        with self._typed_errors("written"), self._engine.begin() as connection:
            connection.execute(insert(requests).values(row))
            if items:
                of_request = [{**item, "request_id": request.id} for item in items]
                connection.execute(insert(item_scores), of_request)

    def find(self, request_id: str) -> LoggedRequest | None:
        """Return a request with the scores of its items, None where it is not known.

        Raises:
            StorageError: the log could not be read.
        """
        columns = [item_scores.c[field.name] for field in fields(ItemScore)]
        of_request = select(*columns).where(item_scores.c.request_id == request_id)
        with self._typed_errors("read"), self._engine.begin() as connection:
            row = connection.execute(select(requests).where(requests.c.id == request_id)).first()
            items = connection.execute(of_request.order_by(item_scores.c.item)).all()
        if row is None:
            return None
        found: dict[str, Any] = dict(row._mapping)
        return LoggedRequest(**found, items=tuple(ItemScore(**item._mapping) for item in items))

    def erase(self, request_id: str) -> bool:
        """Remove all that is kept of a request; return whether there was anything.

        Raises:
            StorageError: it could not be removed.
        """
        with self._typed_errors("written"), self._engine.begin() as connection:
            gone = connection.execute(delete(requests).where(requests.c.id == request_id))
        return gone.rowcount > 0

    def count(self) -> int:
        """Return how many requests are kept.

        Raises:
            StorageError: the log could not be read.
        """
        with self._typed_errors("read"), self._engine.begin() as connection:
            return connection.scalar(select(func.count()).select_from(requests)) or 0

    def close(self) -> None:
        """Close the connections; the last one to close folds SQLite's write-ahead log in."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()

    @contextmanager
    def _typed_errors(self, done: str) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            # The driver's own words: SQLAlchemy adds the statement and what was to be written.
            fault = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
            raise StorageError(
                f"the prediction log {self.name} could not be {done}: {fault}",
                next_step="free space, fix permissions or start the database there, or pass "
                "another log",
            ) from error


def _with_result(request: LoggedRequest, assessment: Assessment) -> LoggedRequest:
    item = ItemScore(
        item=0,
        status=assessment.status,
        logit=assessment.logit,
        score=assessment.score,
        calibrated=assessment.calibrated,
        faces=len(assessment.faces),
        tracks=len(assessment.tracks),
    )
    microseconds = {name: round(1000 * ms) for name, ms in assessment.milliseconds.items()}
    return replace(
        request,
        media_type=assessment.media_type,
        verdict=assessment.verdict,
        media_us=microseconds.get("media"),
        network_us=microseconds.get("network"),
        items=(item,),
    )
