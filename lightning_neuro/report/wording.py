"""The words and numbers that the terminal and the page share, so that both always say the same."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from lightning_neuro.report.model import Check, Outcome, PopulationSummary, Report

VERDICTS: Mapping[Outcome, str] = {
    Outcome.PASSED: "PASSED",
    Outcome.FAILED: "FAILED",
    Outcome.SKIPPED: "INCOMPLETE",
}
ABSENT = "\N{EN DASH}"
_PREFIXES: Mapping[int, str] = {-3: "n", -2: "\N{MICRO SIGN}", -1: "m", 0: "", 1: "k", 2: "M", 3: "G"}
_UNITS: Mapping[str, tuple[float, str]] = {
    "s": (1.0, "s"),
    "ms": (1e-3, "s"),
    "us": (1e-6, "s"),
    "ns": (1e-9, "s"),
    "hz": (1.0, "Hz"),
    "mhz": (1e6, "Hz"),
    "j": (1.0, "J"),
}
_LONG_LIST = 12  # more numbers than this are told by their range
_SPREADS = (("min", "median", "max"), ("min", "mean", "max"), ("min", "max"), ("5 %", "median", "95 %"))


@dataclass(frozen=True, slots=True, kw_only=True)
class AccuracyRow:
    """One form of the network and how often it was right.

    Args:
        key: its name in report.json.
        form: which form of the network.
        share: share of samples classified rightly, 0 to 1; None when not measured.
        samples: number of samples behind it.
    """

    key: str
    form: str
    share: float | None
    samples: int

    @property
    def measured(self) -> bool:
        """Whether there is a number to show."""
        return self.share is not None and math.isfinite(self.share) and self.samples > 0

    @property
    def percent(self) -> str:
        """The share in percent, e.g. ``97.78 %``."""
        return f"{100 * self.share:.2f} %" if self.share is not None and self.measured else "not measured"

    @property
    def fraction(self) -> str:
        """The share in samples, e.g. ``352 of 360``: 100 % of 5 samples is no 100 %."""
        if self.share is None or not self.measured:
            return ""
        return f"{round(self.share * self.samples):,} of {self.samples:,}"


def accuracy_rows(report: Report) -> tuple[AccuracyRow, ...]:
    """Name the three forms of the network with their accuracy, from the trained one to the artefact."""
    of = report.accuracy
    forms = (
        ("float", "float network", of.float_, of.samples),
        ("quantized", "quantized (golden model)", of.quantized, of.samples),
        ("artefact", "artefact as simulated", of.artefact, of.artefact_samples),
    )
    return tuple(AccuracyRow(key=key, form=form, share=share, samples=samples) for key, form, share, samples in forms)


def verdict(report: Report) -> Outcome:
    """Judge the whole report; SKIPPED stands for a report without a failure in which something was not proved."""
    if report.count(Outcome.FAILED):
        return Outcome.FAILED
    return Outcome.PASSED if report.ok and not report.count(Outcome.SKIPPED) else Outcome.SKIPPED


def tally(report: Report) -> str:
    """Count the outcomes in words.

    Args:
        report: any report; outcomes that did not occur are left out.
    """
    counts = ((report.count(outcome), outcome.value) for outcome in Outcome)
    words = [f"{number} {word}" for number, word in counts if number]
    return ", ".join(words) if words else "no check was made"


def comparison(check: Check) -> str:
    """Say what was expected and what came out, in one line.

    Args:
        check: any check; equal values are said once.
    """
    if check.outcome is Outcome.SKIPPED:
        return "not run"
    if check.got == check.expected or check.got is None:
        return number(check.expected)
    return f"{number(check.got)} (expected {number(check.expected)})"


def number(value: object) -> str:
    """Write a value for reading: thousands separated, four significant digits, nothing for what is not known.

    >>> number(92565), number(0.0123456), number([1, 2])
    ('92,565', '0.01235', '1, 2')
    """
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ABSENT
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1e3 else f"{value:.4g}"
    if isinstance(value, list | tuple):
        if len(value) > _LONG_LIST and all(isinstance(item, int | float) for item in value):
            return f"{len(value)} values, {number(min(value))} to {number(max(value))}"
        return ", ".join(number(item) for item in value) or ABSENT
    return str(value)


def duration(seconds: float) -> str:
    """Write a wall time.

    >>> duration(0.0042), duration(3.14), duration(75.2)
    ('4 ms', '3.1 s', '1 min 15 s')
    """
    if not math.isfinite(seconds):
        return ABSENT
    if seconds < 0.9995:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


def engineering(value: float, unit: str) -> str:
    """Write a physical quantity with the prefix that keeps it between 1 and 1000.

    >>> engineering(8.4e-6, "s"), engineering(100e6, "Hz"), engineering(0.0, "s")
    ('8.4 µs', '100 MHz', '0 s')
    """
    if not math.isfinite(value):
        return ABSENT
    exponent = math.floor(math.log10(abs(value)) / 3) if value else 0
    exponent = min(max(exponent, -3), 3)
    return f"{value / 1000.0**exponent:.4g} {_PREFIXES[exponent]}{unit}"


def total_seconds(seconds: Mapping[str, float]) -> float:
    """Add up wall times, or take the entry ``total`` if there is one: activities may overlap or leave gaps.

    >>> total_seconds({"write": 0.5, "ghdl": 8.0}), total_seconds({"ghdl": 8.0, "total": 9.25})
    (8.5, 9.25)
    """
    return seconds["total"] if "total" in seconds else sum(seconds.values())


_FOR_PROGRAMS = ("cycles_of_samples",)  # told by their spread, drawn as a histogram


def flat(resources: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Walk through nested resources as pairs of name and text; a key ending in _s, _hz ... has that unit.

    >>> list(flat({"yosys": {"LUT": 1646}, "lanes": [32, 10], "latency_s": 8.4e-6}))
    [('yosys LUT', '1,646'), ('lanes', '32, 10'), ('latency', '8.4 µs')]
    >>> list(flat({"cycles": {"min": 612, "median": 840, "max": 1121}}))
    [('cycles min / median / max', '612 / 840 / 1,121')]
    """
    for key, value in resources.items():
        if key in _FOR_PROGRAMS:
            continue
        name = f"{prefix}{key}".replace("_", " ")
        stem, _, unit = key.rpartition("_")
        if isinstance(value, Mapping) and tuple(value) in _SPREADS:
            yield f"{name} {' / '.join(value)}", " / ".join(number(item) for item in value.values())
        elif isinstance(value, Mapping):
            yield from flat(value, f"{name} ")
        elif stem and unit in _UNITS and isinstance(value, int | float):
            scale, base = _UNITS[unit]
            yield f"{prefix}{stem}".replace("_", " "), engineering(scale * value, base)
        else:
            yield name, number(value)


def population_facts(population: PopulationSummary) -> str:
    """Describe a layer in one line.

    Args:
        population: any layer; what is not known is left out.
    """
    spikes = population.spikes_per_sample
    facts = (
        f"{population.size:,} {population.neuron}",
        f"reset {population.reset}",
        f"fan-in {population.fan_in:,}",
        "" if population.weight_bits is None else f"{population.weight_bits}-bit weights",
        "" if population.state_bits is None else f"{population.state_bits}-bit membrane",
        "" if spikes is None else f"{number(spikes)} spikes per sample",
    )
    return ", ".join(fact for fact in facts if fact)
