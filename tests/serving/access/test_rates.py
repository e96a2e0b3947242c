"""How often a caller is answered."""

from __future__ import annotations

import re
import runpy
import time
from pathlib import Path

import pytest

from deepfake_lightning.serving.access.callers import Rate
from deepfake_lightning.serving.access.guard import Guard
from deepfake_lightning.serving.access.rates import RateLimit
from deepfake_lightning.serving.access.tokens import TokenStore

door_app = runpy.run_path(str(Path(__file__).parents[1] / "door_app.py"))
Begin, echo, ask = (door_app[name] for name in ("Begin", "echo", "ask"))


@pytest.fixture
def store(tmp_path):
    return TokenStore(tmp_path / "tokens.json", every=0.0)


def bearer(store, name, **more):
    return {"Authorization": f"Bearer {store.create(name, ['predict'], **more)[0]}"}


def limited(store, **settings):
    return Begin(Guard(RateLimit(echo, **settings), tokens=store))


def statuses(app, headers, count, method="POST", path="/v1/predict"):
    return [ask(app, method, path, headers=headers).status_code for _ in range(count)]


def test_each_caller_has_a_rate_of_its_own(store):
    ada, bob = bearer(store, "ada", rate="3/minute"), bearer(store, "bob")
    limited_times = []
    app = limited(store, default=Rate(2, "minute"), on_limited=lambda: limited_times.append(1))
    assert statuses(app, ada, 5) == [200, 200, 200, 429, 429]
    assert statuses(app, bob, 3) == [200, 200, 429]
    assert len(limited_times) == 3
    assert statuses(app, ada, 2, "GET", "/v1/jobs/a") == [200, 200]  # looking is free
    assert statuses(app, ada, 2, "GET", "/healthz") == [200, 200]
    assert statuses(app, {}, 2) == [401, 401]  # strangers use up no one's


def test_the_answer_says_what_is_left_and_when_to_come_back(store):
    app = limited(store, default=Rate(2, "minute"))
    ada = bearer(store, "ada")
    left = [ask(app, "POST", "/v1/predict", headers=ada) for _ in range(3)]
    for answer, requests in zip(left, (1, 0, 0), strict=True):
        assert answer.headers["RateLimit-Policy"] == '"caller";q=2;w=60'
        found = re.fullmatch(r'"caller";r=(\d+);t=(\d+)', answer.headers["RateLimit"])
        assert found and int(found[1]) == requests and 1 <= int(found[2]) <= 60
    assert left[2].json()["error"]["code"] == "rate"
    assert 50 <= int(left[2].headers["Retry-After"]) <= 60
    assert app.exchanges[-1].error == "rate"
    assert "Retry-After" not in left[0].headers


def test_the_window_moves(store):
    app = limited(store, default=Rate(2, "second"))
    ada = bearer(store, "ada")
    assert statuses(app, ada, 3) == [200, 200, 429]
    time.sleep(1.05)
    assert statuses(app, ada, 1) == [200]


def test_each_process_has_its_share(store):
    apps = [limited(store, default=Rate(7, "minute"), processes=3) for _ in range(3)]
    ada = bearer(store, "ada")
    assert sum(statuses(app, ada, 5).count(200) for app in apps) == 6


def test_without_a_rate_there_is_no_limit_and_no_word_of_it(store):
    app = limited(store)
    ada = bearer(store, "ada")
    assert statuses(app, ada, 50) == [200] * 50
    assert "RateLimit" not in ask(app, "POST", "/v1/predict", headers=ada).headers


def test_a_changed_rate_counts_at_once(store):
    app = limited(store)
    ada = bearer(store, "ada", rate="1/minute")
    assert statuses(app, ada, 2) == [200, 429]
    store.revoke("ada")
    assert statuses(app, bearer(store, "ada", rate="2/minute"), 3) == [200, 200, 429]
