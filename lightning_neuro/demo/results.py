"""What came out of a cell, read from its report.json and metrics.json."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from lightning_neuro.demo.plan import Cell
from lightning_neuro.demo.running import JobState, Phase
from lightning_neuro.progress_lines import Refusal
from lightning_neuro.report import Outcome, Report
from lightning_neuro.report.wording import AccuracyRow, accuracy_rows, tally, verdict


class Verdict(str, Enum):
    """How a cell ended."""

    PASSED = "passed"
    INCOMPLETE = "incomplete"
    FAILED = "failed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """Spikes and other values that were compared with the golden model's.

    Args:
        compared, differing: how many in all, and how many of them differ.
    """

    compared: int
    differing: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CellResult:
    """A row of the table.

    Args:
        cell: which.
        verdict: how it ended.
        trained, quantized, on_target: accuracies of the network in floating point, in the golden model's integers, and
            of the artefact; None where there is no report.
        wrong: what differs from the golden model; None where nothing was counted.
        cost: name and amount of what the hardware spends.
        checks: outcomes in words.
        training_s, deploy_s: wall time in seconds.
        commands: what to type to make it again.
        report, log: paths below the demo's folder; report is None where there is none.
        refusal: why the target does not take the network; None where it does.
        words: of a failed cell; else what there is to add.
    """

    cell: Cell
    verdict: Verdict
    trained: AccuracyRow | None
    quantized: AccuracyRow | None
    on_target: AccuracyRow | None
    wrong: Count | None
    cost: tuple[tuple[str, str], ...]
    checks: str
    training_s: float
    deploy_s: float
    commands: tuple[str, ...]
    report: str | None
    log: str
    refusal: Refusal | None
    words: str

    @property
    def headline(self) -> tuple[str, str] | None:
        """The accuracy that stands for the cell, and its samples; None where nothing was measured.

        It is the artefact's own, or, where a simulator had time for a few samples and none differed, that of the
        integers which the artefact equals.
        """
        own, integers = self.on_target, self.quantized
        if own is None or not own.measured:
            return None
        equal = self.wrong is not None and self.wrong.differing == 0
        if own.samples < FEW and equal and integers is not None and integers.measured:
            return integers.percent, f"{integers.fraction}; {own.samples:,} simulated, 0 differ"
        return own.percent, own.fraction


FEW = 100  # samples whose share says little
_VERDICTS = {Outcome.PASSED: Verdict.PASSED, Outcome.FAILED: Verdict.FAILED, Outcome.SKIPPED: Verdict.INCOMPLETE}


def result_of(
    cell: Cell,
    state: JobState,
    report: Report | None,
    metrics: Mapping[str, float],
    *,
    training_s: float,
    commands: tuple[str, ...],
    report_path: str,
    log_path: str,
) -> CellResult:
    """Put together what is known about a cell.

    Args:
        cell: which.
        state: how its deployment ended.
        report: of the artefact; None where there is none.
        metrics: of its training; empty where there are none.
        training_s: seconds of its trainings.
        commands: that made it.
        report_path, log_path: below the demo's folder.
    """
    rows = (None, None, None) if report is None else accuracy_rows(report)
    return CellResult(
        cell=cell,
        verdict=verdict_of(cell, state, report),
        trained=rows[0],
        quantized=rows[1],
        on_target=rows[2],
        wrong=None if report is None else wrong_values(report.resources),
        cost=() if report is None else cost(report.target, report.resources),
        checks="" if report is None else tally(report),
        training_s=training_s,
        deploy_s=state.seconds,
        commands=commands,
        report=None if report is None else report_path,
        log=log_path,
        refusal=state.refusal,
        words=words_of(cell, state, report, metrics),
    )


def verdict_of(cell: Cell, state: JobState, report: Report | None) -> Verdict:
    """How a cell ended: refused is right where the plan says so, and only there."""
    if state.phase is Phase.REFUSED and cell.forbidden:
        return Verdict.REFUSED
    if report is None or cell.forbidden or state.phase not in (Phase.DONE, Phase.FAILED):
        return Verdict.FAILED
    return _VERDICTS[verdict(report)]


def words_of(cell: Cell, state: JobState, report: Report | None, metrics: Mapping[str, float]) -> str:
    """What there is to say about a cell beside its numbers."""
    if report is None:
        return "" if state.phase is Phase.REFUSED and cell.forbidden else state.words
    if cell.forbidden:
        return f"{cell.target} was expected to refuse this network and took it; the plan of the demo is wrong"
    failed = [f"{c.name}: {c.detail}" for c in report.checks if c.outcome is not Outcome.PASSED]
    ann = metrics.get("ann/accuracy")
    return "; ".join([*([] if ann is None else [f"ANN before conversion {100 * ann:.2f} %"]), *failed])


def wrong_values(resources: Mapping[str, object]) -> Count | None:
    """Add up what the checks of a report counted (``targets.proofs.counted``).

    >>> wrong_values({"nest_spikes": {"compared": 10819, "differing": 0}, "cores": 3})
    Count(compared=10819, differing=0)
    """
    counts = [value for value in resources.values() if isinstance(value, Mapping) and set(value) == _COUNTED]
    if not counts:
        return None
    return Count(compared=sum(c["compared"] for c in counts), differing=sum(c["differing"] for c in counts))


_COUNTED = {"compared", "differing"}


def cost(target: str, resources: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """What the hardware spends on a network, as name and amount; empty for a target without such numbers."""
    return tuple(_COSTS[target](resources)) if target in _COSTS else ()


def _fpga(resources: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if "xc7" in resources:
        yield "LUT", f"{resources['xc7']['lut']:,}"
    if "cycles_per_sample" in resources:
        yield "cycles/sample", f"{resources['cycles_per_sample']['median']:,.0f}"


def _spinnaker(resources: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for suffix, words in (("", ""), ("_estimated", " (estimated)")):  # as the virtual board says, or without one
        if f"application_cores{suffix}" in resources:
            yield f"cores{words}", f"{resources[f'application_cores{suffix}']:,}"
            yield f"SDRAM{words}", megabytes(resources[f"sdram_bytes{suffix}"])


def _brainscales(resources: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Accuracy on virtual chips stands here as well: it is what the differences between chips cost."""
    if "predicted" in resources:
        found = resources["predicted"]["accuracy"]
        yield f"mean of {resources['predicted']['chips']} chips", f"{100 * found['mean']:.2f} %"
        yield "worst chip", f"{100 * found['min']:.2f} %"


_COSTS: Mapping[str, Callable[[Mapping[str, Any]], Iterator[tuple[str, str]]]] = {
    "fpga": _fpga,
    "spinnaker": _spinnaker,
    "brainscales": _brainscales,
}


def megabytes(count: int) -> str:
    """Write a number of bytes.

    >>> megabytes(1_234_567), megabytes(12_345)
    ('1.23 MB', '12.3 kB')
    """
    return f"{count / 1e6:.3g} MB" if count >= 1e6 else f"{count / 1e3:.3g} kB"
