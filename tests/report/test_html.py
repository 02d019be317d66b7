import base64
import re
from collections.abc import Callable
from html.parser import HTMLParser

import pytest
from jinja2 import UndefinedError

from lightning_neuro.report import Check, Outcome, Plot, Report
from lightning_neuro.report.html import _template, plot_panel, to_html
from tests.report.conftest import FAILED, PASSED, SKIPPED

PICTURE = Plot(title="Activity", png=b"\x89PNG not really", caption="how much it fires")


class Tags(HTMLParser):
    """Counts open elements and keeps their attributes."""

    VOID = frozenset({"meta", "img", "br", "link"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_page_is_balanced_and_needs_nothing_from_outside(make_report: Callable[..., Report]) -> None:
    page = to_html(make_report(PASSED, FAILED, SKIPPED), differences=(), panels=(plot_panel(PICTURE),))
    tags = Tags(page)
    assert tags.open == []
    assert not {"script", "link", "iframe"} & {tag for tag, _ in tags.seen}
    assert not re.search(r"https?://|@import|url\(", page)


@pytest.mark.parametrize(
    ("checks", "tone", "word"),
    [
        ((PASSED,), "passed", "PASSED"),
        ((PASSED, FAILED), "failed", "FAILED"),
        ((SKIPPED,), "skipped", "INCOMPLETE"),
    ],
)
def test_banner_says_the_verdict(
    make_report: Callable[..., Report], checks: tuple[Check, ...], tone: str, word: str
) -> None:
    page = to_html(make_report(*checks), differences=(), panels=())
    assert f'<section class="card banner {tone}">\n  <h1>{word}</h1>' in page


def test_page_holds_every_fact_of_the_report(make_report: Callable[..., Report]) -> None:
    report = make_report(PASSED, FAILED, SKIPPED)
    page = to_html(report, differences=(), panels=())
    expected = [check.name for check in report.checks] + [check.detail for check in report.checks]
    expected += [*report.assumptions, report.source.sha256, report.graph.sha256, "98.00 %", "353 of 360"]
    expected += ["1,646", "612 / 840 / 1,121", "hidden", "211.4", "8.2 s"]
    assert [fact for fact in expected if fact not in page] == []


def test_picture_is_embedded_with_its_caption_for_those_who_cannot_see_it(
    make_report: Callable[..., Report],
) -> None:
    tags = Tags(to_html(make_report(PASSED), differences=(), panels=(plot_panel(PICTURE),)))
    images = [attributes for tag, attributes in tags.seen if tag == "img"]
    assert images == [
        {"src": "data:image/png;base64," + base64.b64encode(PICTURE.png).decode(), "alt": PICTURE.caption}
    ]


def test_text_from_outside_is_escaped(make_report: Callable[..., Report]) -> None:
    got = "<script>alert(1)</script>"
    evil = Check(name="x", outcome=Outcome.FAILED, expected="<b>", got=got, detail="a < b", seconds=0.0)
    page = to_html(make_report(evil, assumptions=("<img src=x>",)), differences=(), panels=())
    assert "<script>" not in page and "<img src=x>" not in page
    assert "a &lt; b" in page


def test_template_refuses_a_name_it_was_not_given(make_report: Callable[..., Report]) -> None:
    with pytest.raises(UndefinedError, match="explanation"):
        _template().render(
            report=make_report(PASSED), differences=(), panels=(), outcome="passed", verdict="PASSED", tally="",
            accuracy=(), resources=(), total_seconds=0.0, topology="", capacity="",
        )  # fmt: skip
