import pytest

from deepfake_lightning.dashboard.view import View, view_of


@pytest.mark.parametrize(
    "view",
    [
        View(),
        View("traffic", "staging", "v1.0.0", "7d", "video"),
        View("drift", period="2026-11-01..2026-11-08", feature="noise"),
        View("alerts", version="<script>&?#"),
    ],
)
def test_an_address_says_all_of_a_view(view):
    path, _, query = view.href.partition("?")
    assert view_of(path, query) == view


def test_an_address_leaves_out_what_is_usual():
    assert View().href == "/"
    assert View("traffic").href == "/traffic"
    assert View("traffic", period="6h").href == "/traffic?period=6h"


def test_pages_show_different_times_until_one_is_chosen():
    assert View("overview").asked == "1h"
    assert View("performance").asked == "7d"
    assert View("performance", period="6h").asked == "6h"


@pytest.mark.parametrize(
    "query", ["?env=../../etc", "?media=sound", "?version=" + "a" * 101, "?" + "&".join("a" * 19)]
)
def test_what_makes_no_sense_is_as_it_is_by_default(query):
    assert view_of("/", query) == View()


def test_the_environment_that_is_watched_is_shown_first():
    assert view_of("/", "", env="staging").env == "staging"
    assert view_of("/", "?env=production", env="staging").env == "production"
