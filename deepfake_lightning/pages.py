"""Self-contained HTML pages: one look for all of them, nothing fetched from anywhere."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from html import escape
from re import sub

_STYLE = """
:root{color-scheme:light dark;--ink:#1c2126;--soft:#5b6570;--line:#d9dee3;--page:#fff;
--error:#b3261e;--warning:#8a5a00;--note:#3b5f8a;--bar:#5f7f9f;--hot:#c4572b}
@media (prefers-color-scheme:dark){:root{--ink:#e6e9ec;--soft:#a2acb6;--line:#39424b;
--page:#15191d;--error:#ff8a80;--warning:#f0b75a;--note:#8fb8e8;--bar:#7f9fbf;--hot:#ee8a5c}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1.5rem 1rem 3rem;max-width:56rem;background:var(--page);
color:var(--ink);font:1rem/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
h1{font-size:1.5rem;margin:0 0 .25rem}h2{font-size:1.15rem;margin:2rem 0 .5rem}
p{margin:.25rem 0}.soft{color:var(--soft);font-size:.9rem}
.finding{border-left:4px solid;padding:.25rem 0 .25rem .8rem;margin:.9rem 0;break-inside:avoid}
.finding b{text-transform:uppercase;font-size:.8rem;letter-spacing:.04em}
.error{border-color:var(--error)}.error b{color:var(--error)}
.warning{border-color:var(--warning)}.warning b{color:var(--warning)}
.note{border-color:var(--note)}.note b{color:var(--note)}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.9rem;overflow-wrap:normal}
th,td{text-align:left;padding:.3rem .8rem .3rem 0;border-bottom:1px solid var(--line);
vertical-align:top}
td.number,th.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
tr{break-inside:avoid}svg{width:100%;height:auto;max-width:34rem;display:block;
margin:.8rem 0 1rem}
.bar{display:inline-block;height:.7em;background:var(--bar)}
details{margin:.3rem 0}summary{cursor:pointer;color:var(--soft);font-size:.9rem}
@media print{:root{--ink:#000;--soft:#444;--line:#bbb;--page:#fff;--error:#b3261e;
--warning:#8a5a00;--note:#3b5f8a;--bar:#5f7f9f;--hot:#c4572b}
body{max-width:none;padding:0;font-size:10pt}.wide{overflow:visible}}
"""


def html_page(title: str, about: str, facts: str, body: Iterable[str]) -> str:
    """Return a page.

    Args:
        title: what kind of page it is.
        about: what it is of, a path as a rule.
        facts: a line of small print below.
        body: HTML, of which the caller has escaped what came from outside.
    """
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width,initial-scale=1">',
            f"<title>{escape(title)}: {escape(about)}</title><style>{_STYLE}</style></head>",
            f"<body><h1>{escape(title)}</h1><p>{escape(about)}</p>",
            f'<p class="soft">{escape(facts)}</p>',
            *body,
            "</body></html>\n",
        ]
    )


def html_table(
    heads: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Collection[int] = ()
) -> str:
    """Return a table; text is escaped, :class:`Markup` is not.

    Args:
        heads: of the columns.
        rows: of as many cells.
        numbers: places of columns that are set to the right.
    """

    def cell(tag: str, place: int, value: str) -> str:
        shown = value if isinstance(value, Markup) else _unbroken(escape(value))
        return f"<{tag}{' class=number' if place in numbers else ''}>{shown}</{tag}>"

    def cells(tag: str, values: Sequence[str]) -> str:
        return "".join(cell(tag, place, value) for place, value in enumerate(values))

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    head = f"<thead><tr>{cells('th', heads)}</tr></thead>"
    return f'<div class="wide"><table>{head}<tbody>{body}</tbody></table></div>'


def _unbroken(text: str) -> str:
    """Keep an interval, ``(0.12 to 0.34)`` or ``(1.2 to 3.4 %)``, on one line."""
    interval = r"\(-?[\d.]+ to -?[\d.]+( %)?\)"
    return sub(interval, lambda found: found[0].replace(" ", "\u00a0"), text)


class Markup(str):
    """HTML that is not escaped: made here, of numbers only."""


def html_bar(share: float) -> Markup:
    """Return a bar of a share, 0 to 1, with its number, as a cell of a table."""
    return Markup(f'<span class="bar" style="width:{share * 8:.2f}rem"></span> {share:.1%}')
