"""From values to spikes: the coding, everything needed to reproduce it, and pure encoders.

``encode(values, coding, sample_ids, epoch)`` depends on nothing else: no generator state, no batch size,
no order. Random spikes come from a hash of (seed, epoch, sample, step, input), so evaluation data (epoch
None) are the same spikes everywhere and training data (epoch 0, 1, ...) are new spikes every epoch, also
after a resume.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numba import njit

from lightning_neuro.errors import ConfigError

KINDS = ("rate", "rate_deterministic", "latency", "direct", "events")
Plain = str | int | float


@dataclass(frozen=True, slots=True, kw_only=True)
class Coding:
    """How raw data become spikes.

    intensity = clip(gain clip(raw / scale, 0, 1) + offset, 0, 1), then per kind:

    * ``rate``: a spike at each step with probability ``intensity`` (in units of 2^-16).
    * ``rate_deterministic``: ``round(steps intensity)`` spikes, evenly spaced.
    * ``latency``: one spike at step round((1 - intensity) (steps - 1)); none for intensity 0.
    * ``direct``: the intensity itself as input current at each step.
    * ``events``: the data are spikes already; nothing is encoded.

    Args:
        kind: one of the above.
        steps: number of time steps.
        seed: of the random spikes.
        gain: factor on the normalised value, no unit.
        offset: added to the normalised value, no unit.
        scale: raw value that is normalised to 1.

    Raises:
        ConfigError: unknown kind, fewer than one step, or a scale that is not positive.
    """

    kind: str
    steps: int
    seed: int
    gain: float
    offset: float
    scale: float

    def __post_init__(self) -> None:
        require(self.kind in KINDS, "kind", self.kind, f"one of {', '.join(KINDS)}", "rate_deterministic")
        require(isinstance(self.steps, int) and self.steps >= 1, "steps", self.steps, "an integer >= 1", "16")
        require(isinstance(self.seed, int) and self.seed >= 0, "seed", self.seed, "an integer >= 0", "0")
        require(self.scale > 0, "scale", self.scale, "> 0", "1.0")
        for name in ("gain", "offset"):
            value = getattr(self, name)
            require(bool(np.isfinite(value)), name, value, "a finite number", "1.0")

    def to_dict(self) -> dict[str, Plain]:
        """Return plain values, for checkpoints, YAML and NIR metadata."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Plain]) -> Coding:
        """Rebuild a coding from ``to_dict``.

        Raises:
            ConfigError: a field is missing or unknown.
        """
        names = {field.name for field in dataclasses.fields(cls)}
        require(set(values) == names, "fields", sorted(values), f"exactly {sorted(names)}", "...")
        return cls(
            kind=str(values["kind"]),
            steps=int(values["steps"]),
            seed=int(values["seed"]),
            gain=float(values["gain"]),
            offset=float(values["offset"]),
            scale=float(values["scale"]),
        )


def require(holds: bool, name: str, value: object, needed: str, example: str) -> None:
    """Refuse a field of a coding.

    Raises:
        ConfigError: ``holds`` is false.
    """
    if not holds:
        raise ConfigError(
            f"coding {name}={value} must be {needed}",
            where=f"data.coding.{name}",
            why="the coding decides every input spike",
            next_command=f"data.coding.{name}={example}",
        )


def intensities(values: np.ndarray, coding: Coding) -> np.ndarray:
    """Return clip(gain values + offset, 0, 1) as float32; ``values`` [batch, n] are raw / scale, 0..1."""
    scaled = np.clip(values, 0, 1).astype(np.float32) * np.float32(coding.gain) + np.float32(coding.offset)
    return np.clip(scaled, 0, 1).astype(np.float32, copy=False)


def encode(values: np.ndarray, coding: Coding, sample_ids: np.ndarray, epoch: int | None) -> np.ndarray:
    """Return the raster of a batch.

    Args:
        values: [batch, n] raw data divided by ``coding.scale``, 0..1.
        coding: what to do with them.
        sample_ids: [batch] number of each sample in its data set.
        epoch: number of the training epoch, or None for evaluation.

    Returns:
        [batch, steps, n]: uint8 spikes, or float32 currents for ``direct``.

    Raises:
        ConfigError: the coding is ``events``, which encodes nothing.
    """
    if coding.kind not in _ENCODERS:
        require(False, "kind", coding.kind, f"one of {', '.join(_ENCODERS)} to encode values", "rate")
    keys = sample_keys(coding.seed, epoch, sample_ids)
    return _ENCODERS[coding.kind](np.ascontiguousarray(intensities(values, coding)), coding.steps, keys)


_GOLDEN = 0x9E3779B97F4A7C15


def sample_keys(seed: int, epoch: int | None, sample_ids: np.ndarray) -> np.ndarray:
    """Return one uint64 key per sample: mix(mix(mix(seed) + epoch) + id), evaluation counting as epoch -1."""
    with np.errstate(over="ignore"):
        run = mix(np.array([seed & (2**64 - 1)], np.uint64))
        run = mix(run + np.uint64(0 if epoch is None else epoch + 1))
        return mix(run + sample_ids.astype(np.uint64))


def mix(x: np.ndarray) -> np.ndarray:
    """Return the splitmix64 hash of uint64 numbers (Steele, Lea, Flood 2014, doi:10.1145/2714064.2660195)."""
    with np.errstate(over="ignore"):
        z = x + np.uint64(_GOLDEN)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def _rate(p: np.ndarray, steps: int, keys: np.ndarray) -> np.ndarray:
    limit = np.rint(p * 65536).astype(np.uint32)
    raster = np.empty((len(p), steps, p.shape[1]), np.uint8)
    _fill_rate(limit, keys, raster)
    return raster


@njit(cache=True, nogil=True)
def _fill_rate(limit, keys, raster):  # pragma: no cover - compiled
    """Spike where 16 random bits are below the limit; one hash serves four neighbouring inputs."""
    batch, steps, size = raster.shape
    words = (size + 3) // 4
    for b in range(batch):
        for t in range(steps):
            for w in range(words):
                z = keys[b] + np.uint64(t * words + w + 1) * np.uint64(0x9E3779B97F4A7C15)
                z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
                z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
                z = z ^ (z >> np.uint64(31))
                for lane in range(min(4, size - 4 * w)):
                    n = 4 * w + lane
                    bits = np.uint32((z >> np.uint64(16 * lane)) & np.uint64(0xFFFF))
                    raster[b, t, n] = bits < limit[b, n]


def _rate_deterministic(p: np.ndarray, steps: int, keys: np.ndarray) -> np.ndarray:
    counts = np.rint(p.astype(np.float64) * steps).astype(np.uint16)
    raster = np.empty((len(p), steps, p.shape[1]), np.uint8)
    _fill_from_table(counts, even_spikes(steps), raster)
    return raster


def even_spikes(steps: int) -> np.ndarray:
    """Return [steps, count] for count = 0 .. steps, spikes as evenly spaced as they can be.

    1 where the running sum of count / steps, started at one half, passes a whole number (exact in integers).

    >>> even_spikes(4).T.tolist()
    [[0, 0, 0, 0], [0, 1, 0, 0], [1, 0, 1, 0], [1, 1, 0, 1], [1, 1, 1, 1]]
    """
    t, count = np.arange(steps + 1)[:, None], np.arange(steps + 1)[None, :]
    return np.diff((2 * count * t + steps) // (2 * steps), axis=0).astype(np.uint8)


@njit(cache=True, nogil=True)
def _fill_from_table(counts, table, raster):  # pragma: no cover - compiled
    batch, steps, size = raster.shape
    for b in range(batch):
        for t in range(steps):
            row = table[t]
            for n in range(size):
                raster[b, t, n] = row[counts[b, n]]


def _latency(p: np.ndarray, steps: int, keys: np.ndarray) -> np.ndarray:
    when = np.rint((1 - p.astype(np.float64)) * (steps - 1)).astype(np.int64)
    when[p == 0] = -1
    return (when[:, None, :] == np.arange(steps)[None, :, None]).astype(np.uint8)


def _direct(p: np.ndarray, steps: int, keys: np.ndarray) -> np.ndarray:
    return np.repeat(p[:, None, :], steps, axis=1)


_ENCODERS: dict[str, Callable[[np.ndarray, int, np.ndarray], np.ndarray]] = {
    "rate": _rate,
    "rate_deterministic": _rate_deterministic,
    "latency": _latency,
    "direct": _direct,
}
