"""Who may look: through a real server."""

import time

import httpx
import pytest

from deepfake_lightning.dashboard.access.sessions import COOKIE, SessionStore
from deepfake_lightning.serving.access.tokens import FILE, TokenStore

TOKEN = "0123456789abcdef-test"
HTML = {"Accept": "text/html"}
CALL = {
    "output": "nav.children...head.children",
    "outputs": [],
    "inputs": [],
    "changedPropIds": [],
}


@pytest.fixture
def asking(busy, start):
    """Return a client of a dashboard that asks for tokens."""
    url = start(busy, token=TOKEN, asks=True)
    with httpx.Client(base_url=url) as client:
        yield client


def log_in(client, token=TOKEN):
    return client.post("/login", headers={"Authorization": f"Bearer {token}"})


@pytest.mark.parametrize("path", ["/", "/alerts?env=staging", "/_dash-layout", "/media/1"])
def test_nothing_is_shown_without_a_token(asking, path):
    assert asking.get(path).status_code == 401
    assert asking.post("/_dash-update-component", json=CALL).status_code == 401


def test_who_opens_a_page_is_led_to_the_login_and_back(asking):
    answer = asking.get("/alerts?env=staging", headers=HTML)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?to=%2Falerts%3Fenv%3Dstaging"
    page = asking.get("/login")
    assert page.status_code == 200
    assert "script-src 'self';" in page.headers["content-security-policy"]
    for path in ("/assets/login.js", "/assets/look.css", "/assets/icon.svg"):
        assert asking.get(path).status_code == 200


def test_a_token_opens_a_session_that_scripts_cannot_read(asking):
    answer = log_in(asking)
    assert answer.status_code == 204
    cookie = answer.headers["set-cookie"]
    assert TOKEN not in cookie
    for part in ("HttpOnly", "SameSite=strict", "Max-Age=43200", "Path=/"):
        assert part in cookie
    assert asking.get("/", headers=HTML).status_code == 200


def test_cookies_of_other_programs_are_in_nobodys_way(asking):
    log_in(asking)
    for other in ('prefs={"a":1}', "x[1]=2", "broken"):
        both = f"{other}; {COOKIE}={asking.cookies[COOKIE]}"
        assert asking.get("/", headers={"Cookie": both}).status_code == 200


def test_behind_a_proxy_the_browser_says_whose_page_it_is(asking):
    log_in(asking)
    sent = {"Origin": "https://dash.example", "Sec-Fetch-Site": "same-origin"}
    answer = asking.post("/_dash-update-component", json=CALL, headers=sent)
    assert answer.status_code != 403


def test_a_session_ends(asking):
    log_in(asking)
    cookie = asking.cookies[COOKIE]
    asking.post("/logout")
    answer = asking.get("/", headers={"Cookie": f"{COOKIE}={cookie}"})
    assert answer.status_code == 401


def test_a_wrong_token_opens_nothing_and_cannot_be_guessed(asking):
    statuses = [log_in(asking, f"wrong-token-{n:06d}").status_code for n in range(31)]
    assert statuses == [401] * 30 + [429]
    assert COOKIE not in asking.cookies


def test_a_made_up_session_opens_nothing(asking):
    for cookie in ("x", "a" * 43, '"', "%00"):
        answer = asking.get("/", headers={"Cookie": f"{COOKIE}={cookie}"})
        assert answer.status_code == 401


def test_another_site_cannot_act_with_the_session(asking):
    log_in(asking)
    for headers in (
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        answer = asking.post("/_dash-update-component", json=CALL, headers=headers)
        assert answer.status_code == 403
        assert answer.json()["error"]["code"] == "origin"


def test_a_session_lasts_as_long_as_its_token(busy_copy, start):
    store = TokenStore(busy_copy.serving / FILE, every=0.0)
    token, _ = store.create("ana", ("admin",))
    few, _ = store.create("newsroom", ("predict",))
    with httpx.Client(base_url=start(busy_copy, asks=True)) as client:
        assert log_in(client, few).status_code == 403
        assert log_in(client, token).status_code == 204
        assert client.get("/").status_code == 200
        store.revoke("ana")
        time.sleep(1.1)  # so long a server may take to see it
        assert client.get("/").status_code == 401


def test_without_tokens_only_this_machine_is_answered(busy, start):
    url = start(busy)
    assert httpx.get(url).status_code == 200
    for headers in (
        {"Host": "rebound.example"},
        {"X-Forwarded-For": "1.2.3.4"},
        {"Origin": "https://elsewhere.example"},
    ):
        assert httpx.get(url, headers=headers).status_code == 403
    other_page = {"Origin": "http://localhost:1"}  # of this machine, too
    assert (
        httpx.post(f"{url}/_dash-update-component", json=CALL, headers=other_page).status_code
        == 403
    )


def test_a_page_may_load_nothing_from_elsewhere(busy, start):
    answer = httpx.get(start(busy))
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "connect-src 'self'" in policy
    assert "unsafe-eval" not in policy
    assert "script-src 'self' 'sha256-" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert "http://" not in answer.text.replace("http-equiv", "")
    assert 'src="http' not in answer.text


def test_whichever_page_is_opened_first_has_its_looks(busy, start):
    said = httpx.get(f"{start(busy)}/scores").text
    assert 'href="/assets/look.css"' in said
    assert 'src="/assets/page.js"' in said


def test_a_session_is_over_after_its_hours():
    now = [0.0]
    store = SessionStore(lambda: now[0])
    cookie = store.begin(b"token")
    now[0] = 12 * 3600 - 1
    assert store.token_of(cookie) == b"token"
    now[0] = 12 * 3600
    assert store.token_of(cookie) is None


def test_what_no_page_sends_is_refused(busy, start):
    url = f"{start(busy)}/_dash-update-component"
    json = {"Content-Type": "application/json"}
    assert httpx.post(url, content=b"x" * 70_000, headers=json).status_code == 413
    assert httpx.post(url, content=iter([b"{}"]), headers=json).status_code == 411
    assert httpx.post(url, data={"a": "form"}).status_code == 415
