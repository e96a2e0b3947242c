"""A production of its own: a workspace, a real log, and a clock that goes minute by minute."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deepfake_lightning.monitoring.alerts import (
    AlertEvent,
    AlertPolicy,
    AlertRound,
    check_alerts,
)
from deepfake_lightning.monitoring.log import ItemScore, LoggedRequest, PredictionLog
from deepfake_lightning.monitoring.review import ReviewPolicy, drawing
from deepfake_lightning.schemas.environment import EnvironmentRecord, Serving
from deepfake_lightning.storage import Workspace, write_json

NOON = 1_700_049_600_000_000  # 2023-11-15 12:00 UTC
MINUTE = 60_000_000
VERDICTS = ("manipulation_indicated", "no_indication")


class Production:
    """What an operator has: traffic, a log of it, and rounds of checks.

    ``now`` is the clock, microseconds; ``events`` is all that happened.
    """

    def __init__(self, root: Path, place: str | Path) -> None:
        self.workspace, self.place = Workspace(root), place
        self.log = PredictionLog(place)
        self.seen: str | Path | PredictionLog = self.log  # by who checks
        self.now = NOON
        self.events: list[AlertEvent] = []
        self.rounds: list[AlertRound] = []
        self._chance = random.Random(0)
        self._number = 0

    def serve(self, *versions: str, environment: str = "production") -> None:
        """Say what answers, each with the same share."""
        share = 1 / len(versions) if versions else 0.0
        record = EnvironmentRecord(
            serving=tuple(Serving(version=one, share=share) for one in versions)
        )
        path = self.workspace.environments / f"{environment}.json"
        write_json(path, record.model_dump(mode="json", by_alias=True))

    def measured(self, version: str, *, found: float, false_alarms: float, items: int) -> None:
        """Put what a version was measured to be where the registry has it."""
        from deepfake_lightning.metrics.shares import share_ends
        from deepfake_lightning.schemas.measured import Measured, MeasuredThreshold, MeasuredValue

        def value(share: float) -> MeasuredValue:
            error = (share * (1 - share) / items) ** 0.5
            low, high = share_ends(share, error, items, 0.95)
            return MeasuredValue(value=share, low=low, high=high)

        record = Measured(
            created="2023-11-01T00:00:00+00:00", split="test", content_hash=None, split_policy=None,
            looks=1, real=items, fake=items, unscored=0, groups=items,
            # At probability 0.5, which is not where verdicts are.
            metrics={"item": {"balanced_accuracy": MeasuredValue(value=0.99, low=0.98, high=1.0)}},
            thresholds=(MeasuredThreshold(
                media_type="image", probability=0.8, is_calibrated=True,
                false_alarms=value(false_alarms), found=value(found)),),
        )  # fmt: skip
        path = self.workspace.registry / "models" / version / "evaluation.json"
        write_json(path, record.to_dict())

    def policy(self, **content: Any) -> None:
        """Write the alert policy; JSON is YAML, too."""
        write_json(self.workspace.monitoring / "alerts" / "policy.yaml", content)

    def request(self, at_us: int, **fields: Any) -> LoggedRequest:
        """Return a request; ``failed``, ``latency_ms``, ``verdict``, ``version`` may be given."""
        self._number += 1
        version = fields.pop("version", "v1.0.0")
        failed = fields.pop("failed", False)
        verdict = fields.pop("verdict", "no_indication")
        score = 0.95 if verdict == VERDICTS[0] else 0.1
        items = (ItemScore(0, "ok", 1.0, score, True, 1, 1, version, "ab" * 32, verdict=verdict),)
        row: dict[str, Any] = {
            "id": f"r{self._number:07d}", "ts_us": at_us, "version": version, "bundle": "ab" * 32,
            "route": "/v1/predict", "http_status": 500 if failed else 200, "bytes": 1000,
            "latency_us": round(1000 * fields.pop("latency_ms", 80.0)), "media_type": "image",
            "verdict": None if failed else verdict, "error": "internal" if failed else None,
            "items": () if failed else items, "environment": "production", **fields,
        }  # fmt: skip
        return LoggedRequest(**row)

    def write(self, rows: list[LoggedRequest], review: ReviewPolicy | None = None) -> None:
        """Log requests, and draw some of them for review."""
        self.log.append_many(rows, draw=drawing(review) if review else None)

    def minute(self, requests: int = 20, **traffic: Any) -> list[str]:
        """Log a minute's requests and check; ``failing`` and ``refused`` are shares of them.

        ``latency_ms`` is the median: it varies as latencies do. Returns what happened, as
        ``"errors firing"``.
        """
        failing, latency = traffic.pop("failing", 0.0), traffic.pop("latency_ms", 80.0)
        refused = traffic.pop("refused", 0.0)
        shed = {"http_status": 503, "version": "none", "bundle": "", "error": "busy",
                "verdict": None, "items": ()}  # fmt: skip
        rows = [
            self.request(
                self.now + place * MINUTE // max(requests, 1),
                failed=self._chance.random() < failing,
                latency_ms=latency * self._chance.lognormvariate(0, 0.3),
                **traffic,
                **(shed if refused and self._chance.random() < refused else {}),
            )
            for place in range(requests)
        ]
        if rows:
            self.write(rows)
        return self.check()

    def check(self, minutes: float = 1.0) -> list[str]:
        """Move the clock on, check once; return what happened."""
        self.now += round(minutes * MINUTE)
        found = check_alerts(self.workspace, self.seen, environment="production", now_us=self.now)
        self.rounds.append(found)
        self.events += found.events
        return [f"{one.alert.rule} {one.kind}" for one in found.events]

    def minutes(self, number: int, requests: int = 20, **traffic: Any) -> list[str]:
        """Go on for some minutes; return what happened in them."""
        return [one for _ in range(number) for one in self.minute(requests, **traffic)]

    def firing(self) -> list[str]:
        """Return what fires after the last round, as ``"errors production/v1.0.0"``."""
        return [f"{one.rule} {one.subject}" for one in self.rounds[-1].firing]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Production]]:
    """Return a function that makes a production: ``start()``, ``start(place)``.

    v1.0.0 serves, and no disk rule judges the machine that the tests run on.
    """
    made: list[Production] = []

    def begin(place: str | Path | None = None, *versions: str) -> Production:
        root = tmp_path / "mlops"
        production = Production(root, place or root / "monitoring" / "predictions.db")
        production.serve(*(versions or ("v1.0.0",)))
        made.append(production)
        return production

    yield begin
    for one in made:
        one.log.close()


@pytest.fixture
def production(start: Callable[..., Production]) -> Production:
    """Return a production with the default rules, but for ``disk``, and a file that is told.

    Rules look back and wait for a minute or two, not for 5 or 10, so that tests are short.
    """
    one = start()
    rules = [rule for rule in AlertPolicy().to_dict()["rules"] if rule["measure"] != "disk"]
    for rule in rules:
        for name in ("for_minutes", "clear_minutes"):
            rule[name] = min(rule[name], 1)
        if rule["measure"] in ("error_rate", "refusal_rate", "latency_p95"):
            rule["window_minutes"] = 2
    one.policy(rules=rules, channels=[{"name": "file", "kind": "file"}])
    return one


@pytest.fixture
def told() -> Callable[[Production], list[dict[str, Any]]]:
    """Return a function that reads what the file channel was told."""

    def read(production: Production) -> list[dict[str, Any]]:
        path = production.workspace.monitoring / "alerts" / "messages.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    return read
