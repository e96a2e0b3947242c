"""What the pages are told: each question goes to the log once in a while, however many look.

Nothing is written here (see :mod:`~deepfake_lightning.dashboard.acting`), and no log is made where
there is none.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, TypeVar

from deepfake_lightning.dashboard.cached import Cached
from deepfake_lightning.dashboard.view import View
from deepfake_lightning.deployment.environment import utc_now
from deepfake_lightning.monitoring import alerts, drift, review, windows
from deepfake_lightning.monitoring.log import PredictionLog, is_missing
from deepfake_lightning.monitoring.review.media_files import media_folder
from deepfake_lightning.monitoring.review.opinions import State
from deepfake_lightning.monitoring.windows import Period, Scope
from deepfake_lightning.schemas.environment import EnvironmentRecord, read_environment
from deepfake_lightning.storage import Workspace

Value = TypeVar("Value")
SECONDS = 2.0
SLOW = 15.0  # for what changes rarely, and costs more


class Source:
    """Answers the pages' questions.

    Args:
        workspace: whose.
        place: of the prediction log, a path or URL.
        cached: keeps the answers.
        clock: microseconds since 1970, UTC.
    """

    def __init__(
        self,
        workspace: Workspace,
        place: str | Path,
        *,
        cached: Cached | None = None,
        clock: Callable[[], int] = lambda: round(utc_now().timestamp() * 1_000_000),
    ) -> None:
        self.workspace = workspace
        self.place = place
        self.clock = clock
        self._cached = cached or Cached()
        self._opening = threading.Lock()
        self._open: PredictionLog | None = None

    def log(self) -> PredictionLog | None:
        """Return the log, None where there is none yet.

        Raises:
            DeepfakeLightningError: it cannot be opened.
        """
        place = self.place
        with self._opening:
            if is_missing(place):
                self._forget()
            elif self._open is None:
                self._open = PredictionLog(place)
            return self._open

    def close(self) -> None:
        """Close the log."""
        with self._opening:
            self._forget()

    def _forget(self) -> None:
        if self._open is not None:
            self._open.close()
        self._open = None

    def ask(self, key: Hashable, make: Callable[[], Value], seconds: float = SECONDS) -> Value:
        """Return what was answered lately, or ``make`` it.

        Raises:
            DeepfakeLightningError: of ``make``.
        """
        return self._cached.get(key, seconds, make)

    def of_log(
        self, key: Hashable, make: Callable[[PredictionLog], Value], seconds: float = SECONDS
    ) -> Value | None:
        """Return what is made of the log, None where there is no log yet; see :meth:`ask`."""

        def of_log() -> Value | None:
            log = self.log()
            return None if log is None else make(log)

        return self.ask(key, of_log, seconds)

    def changed(self) -> None:
        """Forget all answers: something was done."""
        self._cached.clear()

    def period(self, view: View) -> Period:
        """Return the period of a view.

        Raises:
            UsageError: it says none.
        """
        return windows.parse_period(view.asked, now_us=self.clock())

    def window(self, view: View) -> windows.Window | None:
        """Return the figures of a view's period."""
        return self.of_log(
            ("window", view.with_(page="")),
            lambda log: windows.read_window(log, self.period(view), scope_of(view)),
        )

    def series(self, view: View) -> windows.Series | None:
        """Return the figures of the steps of a view's period."""
        return self.of_log(
            ("series", view.with_(page="")),
            lambda log: windows.read_series(log, self.period(view), scope_of(view, both=True)),
        )

    def audited(self, view: View) -> dict[Any, windows.AuditedQuality] | None:
        """Return the quality on audited labels, by version and variant."""
        return self.of_log(
            ("audited", view.with_(page="")),
            lambda log: windows.audited_quality(log, self.period(view), scope_of(view, both=True)),
            SLOW,
        )

    def recent(self, view: View, number: int = 20) -> list[windows.RecentPrediction] | None:
        """Return the latest predictions, the latest first."""
        return self.of_log(
            ("recent", view.env, view.version, view.media, number),
            lambda log: windows.recent_predictions(log, scope_of(view), number=number),
        )

    def drift_windows(self, view: View) -> list[drift.DriftRecord] | None:
        """Return what was found of drift in a view's period, the oldest first."""
        return self.of_log(
            ("drift", view.env, view.version, view.asked),
            lambda log: drift.read_drift(
                log, self.period(view), environment=view.env, version=view.version
            ),
        )

    def latest_drift(self, view: View) -> list[drift.DriftRecord]:
        """Return the last window of each version that serves in an environment."""
        wanted = self.serving(view.env).versions if view.version is None else (view.version,)

        def read(log: PredictionLog) -> list[drift.DriftRecord]:
            found = (drift.read_drift(log, environment=view.env, version=one, last=1)
                     for one in wanted)  # fmt: skip
            return [record for records in found for record in records]

        return self.of_log(("latest", view.env, wanted), read) or []

    def examples(self, record: drift.DriftRecord, feature: str) -> list[str]:
        """Return ids of requests that stand out in a window."""
        key = ("examples", record.environment, record.version, record.start_us, feature)
        read = drift.examples
        return self.of_log(key, lambda log: read(log, record, feature, number=8), SLOW) or []

    def all_alerts(self) -> tuple[alerts.Alert, ...]:
        """Return the alerts: those that fire first."""
        return self.ask(("alerts",), lambda: tuple(alerts.read_alerts(self.workspace)))

    def alert_history(self, view: View) -> list[alerts.AlertEvent]:
        """Return what happened to alerts in a view's period."""
        return self.ask(
            ("events", view.asked),
            lambda: list(alerts.alert_history(self.workspace, self.period(view))),
        )

    def review_counts(self, env: str) -> dict[State, int]:
        """Return how many requests wait for what."""
        policy = self.review_policy()
        counts = self.of_log(
            ("counts", env), lambda log: review.queue_counts(log, environment=env, policy=policy)
        )
        return counts or {}

    def review_items(
        self, env: str, *, reviewer: str | None, state: State | None = None, limit: int = 20
    ) -> list[review.ReviewItem]:
        """Return requests that wait for a reviewer."""
        policy = self.review_policy()

        def read(log: PredictionLog) -> list[review.ReviewItem]:
            return review.review_queue(
                log, environment=env, state=state, limit=limit, reviewer=reviewer, policy=policy,
                media=self.kept_media(log),
            )  # fmt: skip

        return self.of_log(("items", env, reviewer, state, limit), read) or []

    def kept_media(self, log: PredictionLog) -> Path:
        """Return the folder of the media that are kept for reviewers."""
        return media_folder(self.workspace, log)

    def review_policy(self) -> review.ReviewPolicy:
        """Return how requests are drawn for review."""
        return self.ask(("review policy",), lambda: review.policy_of(self.workspace), SLOW)

    def serving(self, env: str) -> EnvironmentRecord:
        """Return what serves in an environment."""
        path = self.workspace.environments / f"{env}.json"
        return self.ask(("serving", env), lambda: read_environment(path))


def scope_of(view: View, *, both: bool = False) -> Scope:
    """Return whose figures a view wants; with ``both`` those of shadow versions, too."""
    return Scope(view.env, view.version, None if both else "serving", view.media)


def _asked(view: View) -> View:
    """Return what two pages that ask for the same have in common."""
    return view.with_(page="", period=view.asked)
