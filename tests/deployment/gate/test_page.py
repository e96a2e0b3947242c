"""A decision as a page."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from deepfake_lightning.deployment.gate.evidence import Fault, Staging
from deepfake_lightning.deployment.gate.judge import judge
from deepfake_lightning.deployment.gate.page import decision_page
from deepfake_lightning.deployment.gate.policy import GatePolicy
from deepfake_lightning.deployment.gate.words import facts, headline

EVIL = "<script>alert(1)</script>"


def page(found, *beside):
    return decision_page(judge(GatePolicy(), found), beside)


def test_the_verdict_comes_before_the_reasons_and_those_before_all_checks(evidence):
    shown = page(replace(evidence, staging=Staging()))
    text = re.sub(r"<[^>]+>", " ", shown)
    order = ["v1.1.0 is not let through to production: 1 of 21 checks failed",
             "Next: deepfake-lightning deploy v1.1.0 --env staging", "Checks", "no demo",
             "Against what serves now", "Gate split", "Server", "Policy"]  # fmt: skip
    places = [text.index(words) for words in order]
    assert places == sorted(places)


def test_it_fetches_nothing_and_escapes_what_comes_from_outside(evidence, change):
    found = change(evidence, "asked", reason=EVIL, by=EVIL)
    found = change(found, "candidate", licences=(EVIL,), fault=Fault(EVIL, EVIL, EVIL))
    shown = page(change(found, "measured", origin=EVIL, notes=(EVIL,)), EVIL)
    assert EVIL not in shown and "&lt;script&gt;" in shown
    assert not re.findall(r'(?:src|href)="(?!&lt;|comparison)', shown)
    assert 'href="comparison.html"' in page(evidence, "comparison.html")


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({}, "v1.1.0 is let through to production: all 21 checks passed"),
        ({"serves_already": True}, "v1.1.0 serves all of production already"),
        ({"champion": None, "compared": None}, "a first deployment"),
        ({"measured": None, "compared": None, "timed": None, "tested": None,
          "staging": Staging()}, "waits"),
    ],
)  # fmt: skip
def test_pages_of_whatever_is_known(evidence, parts, said):
    assert said in page(replace(evidence, **parts))


def test_force_is_said_with_who_and_why(evidence, change):
    found = change(replace(evidence, staging=Staging()), "asked", force=True, reason="fire")
    decision = judge(GatePolicy(), found)
    assert headline(decision) == (
        "v1.1.0 is let through to production by force: 1 of 21 checks failed. ada: fire"
    )
    assert facts(decision) == "2030-01-02 03:04:05 UTC; asked for by ada; policy: the defaults"
    hard = judge(GatePolicy(), change(found, "candidate", fault=Fault("it is gone")))
    assert "and, forced or not, cannot be: " in headline(hard)
