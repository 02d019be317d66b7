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
class Difference:
    """Where an artefact first left the golden model.

    Args:
        layer: name of the population.
        sample: number of the recorded sample.
        step: time step; None where time is continuous.
        neuron: its number in the graph.
        kind: what differs, ``"spike"`` or ``"membrane"``.
        expected: the golden model's value.
        got: the artefact's value.
    """

    layer: str
    sample: int
    step: int | None
    neuron: int
    kind: str
    expected: Plain
    got: Plain


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
        difference: the first difference of a failed check in numbers, where spikes or membranes were compared.

    Raises:
        ValueError: a failed or skipped check gives no detail.
    """

    name: str
    outcome: Outcome
    expected: Plain
    got: Plain
    detail: str
    seconds: float
    difference: Difference | None = None

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
class InputSummary:
    """Where data enter.

    Args:
        name: of the input.
        size: number of lines.
        shape: lines along each axis, channels first.
        bits: width of the number that a line carries; None where lines carry spikes.
    """

    name: str
    size: int
    shape: tuple[int, ...]
    bits: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionSummary:
    """Synapses between two populations.

    Args:
        pre, post: names of the populations, or of the input.
        kind: in words, for example ``"dense"`` or ``"convolution 3x3"``.
        weights: numbers that are stored.
        bits: width of one; None when weights are not rounded.
        delay: whole steps.
    """

    pre: str
    post: str
    kind: str
    weights: int
    bits: int | None
    delay: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphSummary:
    """The network that was deployed.

    Args:
        sha256: hex digest over every field that can change a spike.
        populations: one entry per layer, in order.
        input: where data enter; None in reports that do not say.
        connections: synapses, in order of the layers that they end in.
    """

    sha256: str
    populations: tuple[PopulationSummary, ...]
    input: InputSummary | None = None
    connections: tuple[ConnectionSummary, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """How much of something an artefact takes.

    Args:
        what: for example ``"LUT"``.
        used: how many.
        available: how many the device has.
    """

    what: str
    used: float
    available: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """An artefact against the device that it is written for.

    Args:
        device: name of the device.
        uses: what is used of what there is.
        source: where the numbers of the device come from.
    """

    device: str
    uses: tuple[Use, ...]
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """How to repeat something.

    Args:
        what: it does, in a few words.
        line: to type, in the folder of the artefact unless ``what`` says otherwise.
    """

    what: str
    line: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A picture for the page.

    Args:
        title: a few words.
        png: the picture, PNG.
        caption: one or two sentences that say what is to be seen; also the text for those who cannot see it.
        svg: the same picture as SVG, which a page can show in its own colours; empty where there is none.
    """

    title: str
    png: bytes
    caption: str
    svg: str = ""


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
        capacity: cost against what the device has; None where no device is known.
        reproduce: commands that repeat the deployment and the proofs.
    """

    target: str
    source: Source
    graph: GraphSummary
    accuracy: Accuracy
    checks: tuple[Check, ...]
    resources: Mapping[str, object]
    assumptions: tuple[str, ...]
    seconds: Mapping[str, float]
    capacity: Capacity | None = None
    reproduce: tuple[Command, ...] = ()

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
