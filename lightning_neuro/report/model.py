"""The result of a deployment as frozen data: what was checked, what came out, and what it rests on."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

Plain = str | int | float | bool | None
"""A value that means the same in Python, JSON and on paper."""


class Outcome(str, Enum):
    """How a check ended; a check that could not run is never counted as passed."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One comparison and how it ended.

    Args:
        name: identifier, e.g. ``"ghdl_bit_exact"``.
        outcome: passed, failed or skipped.
        expected: what had to come out.
        got: what came out; None when the check did not run.
        detail: the first difference of a failed check; the reason, and the command that would enable it, of a
            skipped one.
        seconds: wall time in seconds.

    Raises:
        ValueError: a failed or skipped check gives no detail.
    """

    name: str
    outcome: Outcome
    expected: Plain
    got: Plain
    detail: str
    seconds: float

    def __post_init__(self) -> None:
        if self.outcome is not Outcome.PASSED and not self.detail.strip():
            raise ValueError(f"check {self.name!r} is {self.outcome.value} and must say why in detail")


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """Share of samples classified rightly, from 0 to 1, by each form of the network; None where not measured.

    Args:
        float_: the trained network in floating point.
        quantized: the golden model, that is the network as the hardware computes it.
        artefact: the artefact's own files, run by the target's tools.
        samples: samples behind ``float_`` and ``quantized``.
        artefact_samples: samples behind ``artefact``.
    """

    float_: float | None
    quantized: float | None
    artefact: float | None
    samples: int
    artefact_samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The file that was deployed.

    Args:
        path: path as the user gave it.
        sha256: hex digest of its bytes.
    """

    path: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PopulationSummary:
    """One layer as the hardware has it.

    Args:
        name: name of the population.
        size: number of neurons.
        neuron: kind of neuron, e.g. ``"Lif"``.
        reset: kind and delay of the reset, e.g. ``"zero, delay 0"``.
        fan_in: most inputs of one neuron.
        weight_bits: bits of a weight; None when weights are not rounded.
        state_bits: bits of a membrane; None when membranes are not rounded.
        spikes_per_sample: mean spikes of the whole population in one sample; None when not measured.
    """

    name: str
    size: int
    neuron: str
    reset: str
    fan_in: int
    weight_bits: int | None
    state_bits: int | None
    spikes_per_sample: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphSummary:
    """The network that was deployed.

    Args:
        sha256: hex digest over every field that can change a spike.
        populations: one entry per layer, in order.
    """

    sha256: str
    populations: tuple[PopulationSummary, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A picture for the page.

    Args:
        title: a few words.
        png: the picture, PNG.
        caption: one or two sentences that say what is to be seen; also the text for those who cannot see it.
    """

    title: str
    png: bytes
    caption: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything a deployment found out.

    Args:
        target: name of the target, e.g. ``"fpga"``.
        source: the file that was deployed.
        graph: the network as the hardware has it.
        accuracy: accuracy of each form of the network.
        checks: every check, in the order in which they ran.
        resources: what the artefact costs, in the target's terms: plain values, lists or mappings of them.
        assumptions: sentences the reader has to accept for the numbers to hold.
        seconds: wall time in seconds by activity; ``total``, where given, is the whole deployment.
    """

    target: str
    source: Source
    graph: GraphSummary
    accuracy: Accuracy
    checks: tuple[Check, ...]
    resources: Mapping[str, object]
    assumptions: tuple[str, ...]
    seconds: Mapping[str, float]

    @property
    def ok(self) -> bool:
        """No check failed and at least one passed: a report in which nothing ran proves nothing."""
        return self.count(Outcome.FAILED) == 0 and self.count(Outcome.PASSED) > 0

    def count(self, outcome: Outcome) -> int:
        """Count the checks that ended with one outcome."""
        return sum(check.outcome is outcome for check in self.checks)


def strict(report: Report) -> Report:
    """Turn every skipped check into a failed one (``verify.strict=true``).

    Args:
        report: any report; it stays as it is.
    """
    return dataclasses.replace(report, checks=tuple(_demanded(check) for check in report.checks))


def _demanded(check: Check) -> Check:
    if check.outcome is not Outcome.SKIPPED:
        return check
    detail = f"did not run, and verify.strict=true demands it: {check.detail}"
    return dataclasses.replace(check, outcome=Outcome.FAILED, detail=detail)
