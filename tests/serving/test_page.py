"""The page's files: how they are served, and what they must not hold."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from html.parser import HTMLParser
from itertools import chain
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

import deepfake_lightning.serving.page as page

ROOT = Path(__file__).parents[2]
STATIC = Path(page.__file__).parent / "static"
OWN = sorted(STATIC.iterdir())
TEXT = {path.name: path.read_text() for path in OWN}
HTML = ("index.html", "docs.html")
STRICT = {
    "default-src": "'none'", "script-src": "'self'", "style-src": "'self'",
    "img-src": "'self' data: blob:", "media-src": "blob:", "connect-src": "'self'",
    "base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "'none'",
}  # fmt: skip


@pytest.fixture(scope="module")
def client():
    app = FastAPI(docs_url=None, redoc_url=None, redirect_slashes=False)
    app.include_router(page.router)
    with TestClient(app) as client:
        yield client


def policy_of(answer):
    parts = (part.strip().partition(" ") for part in answer.headers[POLICY].split(";"))
    return {name: value for name, _, value in parts}


POLICY = "Content-Security-Policy"


@pytest.mark.parametrize("url", sorted(page.PATHS))
def test_each_file_is_served_once_and_then_only_when_it_has_changed(client, url):
    answer = client.get(url)
    assert answer.status_code == 200 and answer.content
    assert answer.headers["Cache-Control"] == "no-cache"
    assert "default-src 'none'" in answer.headers[POLICY]
    tag = answer.headers["ETag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = client.get(url, headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
    assert client.get(url, headers={"If-None-Match": '"other"'}).status_code == 200
    head = client.head(url)
    assert head.status_code == 200 and not head.content
    assert head.headers["Content-Length"] == str(len(answer.content))


def test_what_a_browser_may_do(client):
    assert policy_of(client.get("/")) == STRICT
    styled = {"style-src": "'self' 'unsafe-inline'", "media-src": "'none'"}
    assert policy_of(client.get("/docs")) == STRICT | styled


@pytest.mark.parametrize(
    "url",
    ["/static/", "/static/index.html", "/static/nothing.js", "/static/..%2ffiles.py",
     "/static/../files.py", "/static/redoc.standalone.js", "/static", "/docs/"],
)  # fmt: skip
def test_nothing_else_is_served(client, url):
    assert client.get(url).status_code == 404


def test_it_lies_below_a_prefix_as_well():
    app = FastAPI(docs_url=None)
    app.include_router(page.router)
    with TestClient(app, root_path="/detector") as client:
        for url in ("/", "/static/page.js"):
            assert client.get(url).status_code == 200
    for name in HTML:
        assert not re.search(r'(?:href|src)="/', TEXT[name])


def test_swagger_ui_is_found_without_importing_what_carries_it():
    code = (
        "import sys, deepfake_lightning.serving.page as page;"
        "assert '/static/swagger-ui-bundle.js' in page.PATHS;"
        "assert 'fastapi_offline' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", TEXT)
def test_nothing_comes_from_elsewhere(name):
    text = TEXT[name].replace("http://www.w3.org/2000/svg", "").replace("http://SERVER/", "")
    assert not re.search(r"\b(?:https?|wss?|ftp):|[\"'(]//", text)


@pytest.mark.parametrize("name", [name for name in TEXT if name.endswith(".js")])
def test_text_is_never_read_as_markup_or_code(name):
    unsafe = (
        r"innerHTML|outerHTML|insertAdjacentHTML|createContextualFragment|DOMParser|srcdoc"
        r"|document\.write|\beval\b|new Function|setTimeout\(\s*[\"'`]|javascript:"
    )
    assert not re.search(unsafe, TEXT[name])


@pytest.mark.parametrize("name", HTML)
def test_pages_hold_no_scripts_and_styles_of_their_own(name):
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)", TEXT[name])


def test_all_that_is_asked_for_is_there():
    asked = set()
    for name in HTML:
        asked |= {f"/{url}" for url in re.findall(r'(?:href|src)="(static/[^"]+)"', TEXT[name])}
    for name, text in TEXT.items():
        if name.endswith(".js"):
            asked |= {f"/static/{url}" for url in re.findall(r'from "\./([^"]+)"', text)}
    assert asked <= page.PATHS
    own = {f"/static/{name}" for name in TEXT if name not in HTML}
    assert own <= asked  # and nothing is left over


class Fields(HTMLParser):
    """What stands in a page: fields, labels and identifiers."""

    def __init__(self, text):
        super().__init__()
        self.fields, self.labelled, self.ids, self.named, self.langs = [], set(), [], set(), []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        have = dict(attrs)
        self.ids += [have["id"]] if "id" in have else []
        self.named |= set(" ".join(have.get(key) or "" for key in REFERENCES).split())
        if tag in ("input", "select", "textarea"):
            self.fields.append(have.get("id"))
        if tag == "label":
            self.labelled.add(have.get("for"))
        if tag == "html":
            self.langs.append(have.get("lang"))


REFERENCES = ("aria-labelledby", "aria-describedby", "for")


@pytest.mark.parametrize("name", HTML)
def test_fields_have_labels_and_names_are_there(name):
    found = Fields(TEXT[name])
    assert set(found.fields) <= found.labelled
    assert bool(found.fields) is (name != "docs.html")  # Swagger UI brings its own
    assert len(found.ids) == len(set(found.ids))
    assert found.named <= set(found.ids)
    assert found.langs == ["en"]


def luminance(colour):
    """Return the relative luminance of ``#rrggbb`` (WCAG 2.2)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def themes():
    light, dark = TEXT["page.css"].split("@media (prefers-color-scheme: dark)")
    dark = dark[: dark.index("}")]
    found = [dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", text)) for text in (light, dark)]
    return {"light": found[0], "dark": found[0] | found[1]}


GROUNDS = ("page", "card", "sunk")
TONES = ("indicated", "between", "clear", "unset")
WORDS = [
    *((ink, ground) for ink in ("ink", "soft", "accent") for ground in (*GROUNDS, "accent-tint")),
    ("on-accent", "accent"), ("card", "indicated"),
    *chain.from_iterable(((t, f"{t}-tint"), (t, "card"), ("ink", f"{t}-tint")) for t in TONES),
]  # fmt: skip
SHAPES = [
    *(("control", ground) for ground in GROUNDS), ("accent", "page"), ("accent", "card"),
    *((tone, ground) for tone in TONES for ground in GROUNDS), ("ink", "sunk"),
]  # fmt: skip


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("pairs", "least"), [(WORDS, 4.5), (SHAPES, 3.0)], ids=["words", "shapes"])
def test_colours_are_told_apart(theme, pairs, least):
    """WCAG 2.2 AA, 1.4.3 and 1.4.11."""
    colours = themes()[theme]
    found = {pair: contrast(colours[pair[0]], colours[pair[1]]) for pair in pairs}
    assert not {pair: round(value, 2) for pair, value in found.items() if value < least}


def test_the_files_are_in_the_package():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    patterns = settings["tool"]["setuptools"]["package-data"]["deepfake_lightning.serving.page"]
    packed = {path for pattern in patterns for path in STATIC.parent.glob(pattern)}
    assert set(OWN) <= packed
