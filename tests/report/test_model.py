from collections.abc import Callable

import pytest

from lightning_neuro.report import Outcome, Report, strict
from tests.report.conftest import FAILED, PASSED, SKIPPED, check


@pytest.mark.parametrize(
    ("checks", "ok"),
    [
        ((PASSED,), True),
        ((PASSED, SKIPPED), True),
        ((PASSED, FAILED), False),
        ((FAILED,), False),
        ((SKIPPED,), False),
        ((), False),
    ],
)
def test_ok_needs_one_passed_and_no_failed_check(
    make_report: Callable[..., Report], checks: tuple, ok: bool
) -> None:
    assert make_report(*checks).ok is ok


def test_strict_turns_skipped_into_failed_and_keeps_the_reason(make_report: Callable[..., Report]) -> None:
    lenient = make_report(PASSED, SKIPPED)
    demanded = strict(lenient)
    assert demanded.ok is False
    assert demanded.checks[0] == PASSED
    assert demanded.checks[1].outcome is Outcome.FAILED
    assert SKIPPED.detail in demanded.checks[1].detail
    assert lenient.checks[1] == SKIPPED


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.SKIPPED])
def test_check_that_did_not_pass_must_say_why(outcome: Outcome) -> None:
    with pytest.raises(ValueError, match="must say why"):
        check("ghdl_bit_exact", outcome, detail=" ")
