"""From values to one spike per input: the latency code of first-spike networks, in continuous time.

``spike_times(values, coding, sample_ids, epoch)`` depends on nothing else, like ``coding.encode`` for rasters:
evaluation data (epoch None) have no noise, training data (epoch 0, 1, ...) have new noise every epoch, a function
of (seed, epoch, sample, input) and so the same after a resume.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numba import njit

from lightning_neuro.data.coding import Coding, require, sample_keys

KIND = "first_spike"
Plain = str | int | float | bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SpikeTimeCoding:
    """How raw data become one spike time per input.

    v = clip(raw / scale, 0, 1), or 1 minus that for ``largest_first``; t = t_early + v (t_late - t_early); training
    times are |t + noise g| with g from a standard normal distribution.

    Args:
        kind: "first_spike".
        t_early: time of the earliest spike, in units of tau_syn.
        t_late: time of the latest spike, in units of tau_syn.
        largest_first: whether large values spike early (grey values) or late (coordinates).
        latest_is_silent: whether a value that would spike exactly at ``t_late`` does not spike at all.
        noise: standard deviation of the noise on training times, in units of tau_syn; 0 = none.
        seed: of the noise.
        scale: raw value that is normalised to 1.

    Raises:
        ConfigError: times out of order, or a scale, noise or seed that is out of range.
    """

    kind: str
    t_early: float
    t_late: float
    largest_first: bool
    latest_is_silent: bool
    noise: float
    seed: int
    scale: float

    def __post_init__(self) -> None:
        require(self.kind == KIND, "kind", self.kind, KIND, KIND)
        require(0 <= self.t_early, "t_early", self.t_early, ">= 0", "0.15")
        require(self.t_early < self.t_late < np.inf, "t_late", self.t_late, f"> t_early={self.t_early}", "2.0")
        require(0 <= self.noise < np.inf, "noise", self.noise, ">= 0", "0.0")
        require(isinstance(self.seed, int) and self.seed >= 0, "seed", self.seed, "an integer >= 0", "0")
        require(self.scale > 0, "scale", self.scale, "> 0", "1.0")
        for name in ("largest_first", "latest_is_silent"):
            value = getattr(self, name)
            require(isinstance(value, bool), name, value, "true or false", "true")

    def to_dict(self) -> dict[str, Plain]:
        """Return plain values, for checkpoints, YAML and NIR metadata."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Plain]) -> SpikeTimeCoding:
        """Rebuild a coding from ``to_dict``.

        Raises:
            ConfigError: a field is missing or unknown.
        """
        names = {field.name for field in dataclasses.fields(cls)}
        require(set(values) == names, "fields", sorted(values), f"exactly {sorted(names)}", "...")
        return cls(**values)  # type: ignore[arg-type]


def coding_of(values: Mapping[str, Plain] | Coding | SpikeTimeCoding) -> Coding | SpikeTimeCoding:
    """Return the coding that plain values describe: of spike times for kind "first_spike", else of rasters."""
    if isinstance(values, Coding | SpikeTimeCoding):
        return values
    kind = SpikeTimeCoding if values.get("kind") == KIND else Coding
    mixed = "t_early" in values and kind is Coding
    wanted = f"{KIND} for data that are spike times"
    require(not mixed, "kind", values.get("kind"), wanted, f"{KIND}   (or data=digits)")
    return kind.from_dict(values)  # type: ignore[arg-type]


def spike_times(values: np.ndarray, coding: SpikeTimeCoding, sample_ids: np.ndarray, epoch: int | None) -> np.ndarray:
    """Return the spike times of a batch.

    Args:
        values: [batch, n] raw data.
        coding: what to do with them.
        sample_ids: [batch] number of each sample in its data set.
        epoch: number of the training epoch, or None for evaluation.

    Returns:
        [batch, n] float64 in units of tau_syn; inf = no spike.
    """
    share = np.clip(values / np.float64(coding.scale), 0, 1)
    share = 1 - share if coding.largest_first else share
    times = coding.t_early + share * (coding.t_late - coding.t_early)
    if coding.latest_is_silent:
        times[share == 1] = np.inf
    if epoch is not None and coding.noise:
        _add_noise(times, sample_keys(coding.seed, epoch, sample_ids), coding.noise)
    return times


@njit(cache=True, nogil=True)
def _add_noise(times, keys, deviation):  # pragma: no cover - compiled
    """Two normal numbers from two hashed uniform ones (Box, Muller 1958); negative times are mirrored at 0."""
    batch, size = times.shape
    for b in range(batch):
        for n in range(0, size, 2):
            z = keys[b] + np.uint64(n + 1) * np.uint64(0x9E3779B97F4A7C15)
            z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            z = z ^ (z >> np.uint64(31))
            radius = deviation * np.sqrt(-2 * np.log(((z >> np.uint64(32)) + np.float64(0.5)) / 4294967296.0))
            angle = 2 * np.pi * (z & np.uint64(0xFFFFFFFF)) / 4294967296.0
            times[b, n] = abs(times[b, n] + radius * np.cos(angle))
            if n + 1 < size:
                times[b, n + 1] = abs(times[b, n + 1] + radius * np.sin(angle))
