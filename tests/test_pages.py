"""Pages fetch nothing, and show what came from outside as text."""

from __future__ import annotations

from html.parser import HTMLParser

from deepfake_lightning.pages import html_bar, html_page, html_table

BAD = "<script>alert(1)</script>&"


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_text_from_outside_is_text() -> None:
    page = html_page(BAD, BAD, BAD, [html_table([BAD, "n"], [[BAD, "1"]], numbers=[1])])
    parsed = Tags()
    parsed.feed(page)
    assert "script" not in parsed.tags
    assert parsed.words.count(BAD) == 5  # heading, what it is of, facts, a head and a cell
    assert "http" not in page and "url(" not in page


def test_numbers_stand_to_the_right_and_bars_are_drawn() -> None:
    table = html_table(["name", "share"], [["a<b", html_bar(0.25)]], numbers=[1])
    assert "<td>a&lt;b</td>" in table
    assert '<td class=number><span class="bar" style="width:2.00rem"></span> 25.0%</td>' in table


def test_an_interval_in_a_table_stays_on_its_line() -> None:
    table = html_table(["a"], [["0.5 (0.1 to 0.9)"], ["1.0 % (0.2 to 3.4 %)"], ["(up to you)"]])
    assert "0.5 (0.1\u00a0to\u00a00.9)" in table
    assert "1.0 % (0.2\u00a0to\u00a03.4\u00a0%)" in table
    assert "(up\u00a0to\u00a0you)" not in table
