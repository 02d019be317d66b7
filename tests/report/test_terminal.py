import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from lightning_neuro.report import Accuracy, Report
from lightning_neuro.report.terminal import render
from tests.report.conftest import FAILED, PASSED, SKIPPED


def show(report: Report, width: int = 80, colour: bool = False) -> str:
    console = Console(
        file=io.StringIO(), width=width, force_terminal=colour, color_system="truecolor" if colour else None
    )
    console.print(render(report, folder=Path("outputs/demo/deploy/fpga"), next_command="open report.html"))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_every_check_is_shown_with_its_outcome(make_report: Callable[..., Report]) -> None:
    lines = show(make_report(PASSED, FAILED, SKIPPED)).splitlines()
    for check in (PASSED, FAILED, SKIPPED):
        assert any(line.startswith(check.outcome.value) and check.name in line for line in lines)


@pytest.mark.parametrize(
    ("checks", "word"),
    [
        ((PASSED,), "PASSED"),
        ((PASSED, SKIPPED), "INCOMPLETE"),
        ((PASSED, FAILED), "FAILED"),
        ((SKIPPED,), "INCOMPLETE"),
        ((), "INCOMPLETE"),
    ],
)
def test_first_word_is_the_verdict(make_report: Callable[..., Report], checks: tuple, word: str) -> None:
    assert show(make_report(*checks)).strip().startswith(word)


def test_failure_shows_both_values_and_the_first_difference(make_report: Callable[..., Report]) -> None:
    text = show(make_report(FAILED), width=120)
    assert "12 mismatches (expected 0 mismatches)" in text
    assert FAILED.detail in text


def test_skipped_check_shows_the_command_that_enables_it(make_report: Callable[..., Report]) -> None:
    text = show(make_report(PASSED, SKIPPED), width=120)
    assert "apt-get install yosys" in text
    assert f"{SKIPPED.name}  not run" in text


def test_accuracy_is_shown_with_the_samples_behind_it(make_report: Callable[..., Report]) -> None:
    text = show(make_report(PASSED))
    assert "98.00 %  353 of 360" in text
    assert "100.00 %  20 of 20" in text


def test_unmeasured_accuracy_is_said_not_invented(make_report: Callable[..., Report]) -> None:
    nothing = Accuracy(float_=None, quantized=float("nan"), artefact=1.0, samples=0, artefact_samples=0)
    assert show(make_report(PASSED, accuracy=nothing)).count("not measured") == 3


def test_eighty_columns_lose_nothing(make_report: Callable[..., Report]) -> None:
    text = show(make_report(PASSED, FAILED, SKIPPED))
    assert max(map(len, text.splitlines())) <= 80
    words = " ".join(text.split())
    paths = ("outputs/demo/deploy/fpga", "open report.html")
    for part in (FAILED.detail, SKIPPED.detail, "612 / 840 / 1,121", *paths):
        assert part in words


def test_colour_is_only_used_where_there_is_a_terminal(make_report: Callable[..., Report]) -> None:
    report = make_report(PASSED, FAILED)
    assert "\x1b[" not in show(report)
    assert "\x1b[" in show(report, colour=True)


def test_brackets_in_a_detail_are_text_not_markup(make_report: Callable[..., Report]) -> None:
    words = "weights [128, 64] and [bold] stay"
    check = replace(FAILED, got=words, detail=words)
    assert show(make_report(check, assumptions=(words,)), width=120).count(words) == 3
