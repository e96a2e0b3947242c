import json
from html.parser import HTMLParser

import pytest

from deepfake_lightning.errors import UsageError
from deepfake_lightning.monitoring.report import (
    findings,
    report_markdown,
    report_page,
    write_report,
)


class Words(HTMLParser):
    def __init__(self):
        super().__init__()
        self.words, self.tags = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        self.words.append(data)


def test_findings_come_worst_first_and_say_what_to_do(alarmed):
    found = findings(alarmed)
    assert [one.weight for one in found] == ["error", "warning", "warning", "note", "note"]
    assert "12 % of the requests failed" in found[0].says
    assert found[0].next_step == "look at the server's log"
    assert "v1.1.0: what comes in has drifted from the reference: brightness" in found[1].says
    assert "at least 7 requests or scores of the period are not in the log" in found[2].says
    assert "20 of 60 drawn requests are labelled (33.3 %)" in found[3].says


def test_the_page_shows_all_of_it_and_fetches_nothing(alarmed):
    page = report_page(alarmed)
    parsed = Words()
    parsed.feed(page)
    text = " ".join(" ".join(parsed.words).split())
    for words in ("production, last hour", "media: image", "p95 latency, ms", "20 of 60 drawn",
                  "balanced accuracy", "drifting", "brightness fell from 120 to 64", "0.91",
                  "12 % of the requests failed <b>", "disk <full>", "error_rate"):  # fmt: skip
        assert words in text, words
    assert parsed.tags.count("svg") == 7
    assert "http" not in page and "url(" not in page and "nan" not in page.lower()
    assert not {"b>", "full>"} & set(parsed.tags)


def test_the_page_of_a_quiet_time_says_that_nothing_fires(quiet):
    calm = report_page(quiet)
    assert "0 alerts firing now, 0 pending; 0 events in the period." in calm


def test_markdown_has_the_same_tables(alarmed):
    text = report_markdown(alarmed)
    assert text.startswith("# Monitoring report: production, last hour\n")
    assert "| all | 120 | 2/min |" in text
    assert "| labels | 20 of 60 drawn | 20 of 60 drawn |" in text
    assert "**error**: production: 12 % of the requests failed &lt;b&gt;" in text


def test_json_holds_sums_and_no_request(alarmed, tmp_path):
    write_report(alarmed, tmp_path / "out.json")
    text = (tmp_path / "out.json").read_text("utf-8")
    record = json.loads(text)
    assert record["schema"] == 1
    assert record["total"]["requests"] == 120
    assert {one["version"] for one in record["by_version"]} == {"v1.0.0", "v1.1.0"}
    assert record["audited"][0]["coverage"] == pytest.approx(1 / 3)
    assert record["drift"][1]["confirmed"] is True
    assert record["alert_events"][0]["kind"] == "firing"
    assert f"{1:032x}" not in text


def test_a_folder_gets_all_three_and_nothing_is_written_over(alarmed, tmp_path):
    assert write_report(alarmed, tmp_path / "out") == tmp_path / "out" / "monitoring.html"
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"monitoring.html", "monitoring.md", "monitoring.json"}
    for there in ("out", "out/monitoring.html"):
        with pytest.raises(UsageError, match="is there already"):
            write_report(alarmed, tmp_path / there)
