"""Who is let in, and where to."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

from deepfake_lightning.serving.access.callers import SCOPES
from deepfake_lightning.serving.access.guard import Guard
from deepfake_lightning.serving.access.guesses import Guesses
from deepfake_lightning.serving.access.tokens import TokenStore

door_app = runpy.run_path(str(Path(__file__).parents[1] / "door_app.py"))
Begin, echo, ask = (door_app[name] for name in ("Begin", "echo", "ask"))
OPERATOR = "0123456789abcdef-test"


@pytest.fixture
def store(tmp_path: Path) -> TokenStore:
    return TokenStore(tmp_path / "tokens.json", every=0.0)


@pytest.fixture
def keys(store: TokenStore) -> dict[str, str]:
    """Return tokens of callers that may predict, say who was right, and do everything."""
    return {scope: store.create(scope, [scope])[0] for scope in SCOPES}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def guarded(**settings: Any) -> Any:
    return Begin(Guard(echo, **settings))


@pytest.mark.parametrize(
    ("method", "path", "needs"),
    [("POST", "/v1/predict", "predict"), ("POST", "/v1/jobs", "predict"),
     ("GET", "/v1/jobs/abc", "predict"), ("DELETE", "/v1/jobs/abc", "predict"),
     ("POST", "/v1/feedback", "feedback"), ("DELETE", "/v1/requests/abc", "admin"),
     ("GET", "/metrics", "metrics")],
)  # fmt: skip
def test_each_path_needs_its_scope(store, keys, method, path, needs):
    app = guarded(tokens=store)
    assert ask(app, method, path).status_code == 401
    for scope, token in keys.items():
        answer = ask(app, method, path, headers=bearer(token))
        if scope in (needs, "admin"):
            assert answer.json()["caller"] == scope
            continue
        assert answer.status_code == 403
        assert answer.json()["error"]["code"] == "scope"
        assert needs in answer.json()["error"]["message"]
        assert f"--scopes {needs}" in answer.json()["error"]["next"]
        assert f'scope="{needs}"' in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    "path", ["/", "/healthz", "/readyz", "/docs", "/openapi.json", "/static/page.js"]
)
def test_what_is_read_without_a_token(store, keys, path):
    app = guarded(tokens=store)
    assert ask(app, "GET", path).json()["caller"] is None
    assert ask(app, "GET", path, headers=bearer("wrong")).json()["caller"] is None
    assert ask(app, "GET", path, headers=bearer(keys["predict"])).json()["caller"] == "predict"
    assert ask(app, "POST", path).status_code == 401


@pytest.mark.parametrize(
    "path", ["/v1/nothing", "/static", "/healthz/", "/Healthz", "//", "/docs/x", "/v1/requests"]
)
def test_paths_near_the_open_ones_are_closed(store, keys, path):
    app = guarded(tokens=store)
    assert ask(app, "GET", f"http://localhost{path}").status_code == 401
    assert ask(app, "GET", f"http://localhost{path}", headers=bearer(keys["predict"])).is_success


def test_the_operators_token_is_good_for_all_beside_others(store, keys):
    app = guarded(token=OPERATOR, tokens=store)
    for method, path in (("POST", "/v1/predict"), ("DELETE", "/v1/requests/a"), ("GET", "/x")):
        assert ask(app, method, path, headers=bearer(OPERATOR)).json()["caller"] == "operator"
    assert ask(app, "POST", "/v1/jobs", headers=bearer(keys["predict"])).is_success


@pytest.mark.parametrize(
    "headers",
    [[], [("Authorization", f"Bearer {OPERATOR}x")], [("Authorization", f"Basic {OPERATOR}")],
     [("Authorization", OPERATOR)], [("Authorization", "Bearer")],
     [("Authorization", f"Bearer {OPERATOR}"), ("Authorization", f"Bearer {OPERATOR}")],
     [("Authorization", f"Bearer {OPERATOR} {OPERATOR}")], [("X-Token", OPERATOR)],
     [("Authorization", b"Bearer \xff\x00\xe9")]],
)  # fmt: skip
def test_odd_and_repeated_headers_are_no_token(headers):
    answer = ask(guarded(token=OPERATOR), "POST", "/v1/predict", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert OPERATOR not in answer.text


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_is_told_in_any_case_and_any_host_will_do(scheme):
    headers = {"Authorization": f"{scheme} {OPERATOR}", "Host": "detector.example"}
    assert ask(guarded(token=OPERATOR), "POST", "/v1/predict", headers=headers).is_success


def test_without_tokens_this_machine_may_do_all(store):
    app = guarded(tokens=store)
    for method, path in (("POST", "/v1/predict"), ("DELETE", "/v1/requests/a"), ("GET", "/")):
        assert ask(app, method, path).json()["caller"] == "local"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "10.0.0.1", "", "[::1"])
@pytest.mark.parametrize("path", ["/v1/predict", "/", "/healthz"])
def test_without_tokens_other_names_are_refused(host, path):
    answer = ask(guarded(), "GET", path, headers={"Host": host})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "host")


@pytest.mark.parametrize("origin", ["https://example.com", "null", "http://127.0.0.1.evil.com"])
def test_without_tokens_pages_of_others_are_refused_and_the_own_page_is_not(origin):
    app = guarded()
    post = ("POST", "/v1/predict")
    assert ask(app, *post, headers={"Origin": origin}).status_code == 403
    for own in ("http://localhost", "http://127.0.0.1:8000", "http://[::1]:8000"):
        assert ask(app, *post, headers={"Origin": own}).is_success


@pytest.mark.parametrize("address", ["192.168.0.9", "2001:db8::1", ""])
def test_without_tokens_another_machine_is_refused_whatever_host_it_names(address):
    assert ask(guarded(), "POST", "/v1/predict", address=address).status_code == 403


def test_revoking_the_last_token_opens_nothing(store):
    token, _ = store.create("ada", ["predict"])
    app = guarded(tokens=store)
    assert ask(app, "POST", "/v1/predict", headers=bearer(token)).is_success
    store.revoke("ada")
    assert ask(app, "POST", "/v1/predict", headers=bearer(token)).status_code == 401
    assert ask(app, "POST", "/v1/predict").status_code == 401


def test_the_first_token_closes_a_server_that_runs(store):
    app = guarded(tokens=store)
    assert ask(app, "POST", "/v1/predict").json()["caller"] == "local"
    token, _ = store.create("ada", ["predict"])
    assert ask(app, "POST", "/v1/predict").status_code == 401
    assert ask(app, "POST", "/v1/predict", headers=bearer(token)).json()["caller"] == "ada"


def test_one_who_guesses_is_not_told_and_locks_no_one_out(store, keys):
    app = guarded(token=OPERATOR, tokens=store, guesses=Guesses(per_minute=5))
    post = ("POST", "/v1/predict")
    assert ask(app, *post, headers=bearer(keys["predict"])).is_success  # known from here
    for number in range(5):
        assert ask(app, *post, headers=bearer(f"guess {number}")).status_code == 401
    answer = ask(app, *post, headers=bearer(OPERATOR))  # right, and not told
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "guesses")
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert ask(app, *post, headers=bearer(keys["predict"])).is_success
    assert ask(app, *post, headers=bearer(OPERATOR), address="10.1.1.1").is_success
    assert ask(app, "GET", "/readyz", headers=bearer(OPERATOR)).json()["caller"] is None
    assert ask(app, *post).status_code == 401  # that guesses nothing


def test_one_sender_has_a_whole_ipv6_network(store):
    guesses = Guesses(per_minute=2)
    for last in range(2):
        guesses.note(f"2001:db8::{last}", b"wrong", False)
    assert guesses.seconds_left("2001:db8::ffff", b"other") > 0
    assert guesses.seconds_left("2001:db8:0:1::1", b"other") == 0
    guesses.note("::ffff:10.0.0.1", b"wrong", False)
    guesses.note("10.0.0.1", b"wrong", False)
    assert guesses.seconds_left("10.0.0.1", b"other") > 0


@pytest.mark.parametrize(
    "name", ["X-Forwarded-For", "Forwarded", "Via", "X-Real-IP", "X-Forwarded-Host"]
)
def test_behind_a_proxy_nobody_is_the_operator_without_a_token(store, name):
    headers = {"Host": "127.0.0.1:8000", name: "203.0.113.9"}
    answer = ask(guarded(), "GET", "/v1/jobs", headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "proxy")
    token = store.create("form", ["predict"])[0]
    answer = ask(guarded(tokens=store), "GET", "/v1/jobs", headers={**headers, **bearer(token)})
    assert answer.json()["caller"] == "form"


def test_a_process_that_is_replaced_asks_as_the_others_do(store):
    assert ask(guarded(tokens=store, asks=True), "GET", "/v1/jobs").status_code == 401
