"""The column converters that read membranes: 8 bits, one sample of all columns every few microseconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lightning_neuro.targets.brainscales.emulator_kernels import membranes_at
from lightning_neuro.targets.brainscales.recording import Membranes

LARGEST = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Cadc:
    """How membranes become numbers.

    Args:
        period_us: between two samples; 1.7 to 2 with results kept in the plasticity processor's memory, about 6 in
            external memory (hxtorch's documentation).
        leak_lsb: the leak potential.
        scale_lsb: LSB per model unit; 70 where a threshold of 1 is at 150 LSB and the leak at 80.
        noise_lsb: standard deviation of a sample.
    """

    period_us: float
    leak_lsb: float
    scale_lsb: float
    noise_lsb: float


def through_cadc(cadc: Cadc, events: tuple[Any, ...], end_us: float, random: np.random.Generator) -> Membranes:
    """Largest and last membrane among the converter's samples, back in model units from the leak potential.

    Args:
        cadc: the converter.
        events: arguments of ``membranes_at`` before the moments.
        end_us: of a sample.
        random: of the noise.
    """
    moments = np.arange(0.0, end_us, cadc.period_us)
    membrane = np.empty((len(events[0]) - 1, len(moments), events[3].shape[1]))
    offsets, sources, times, weights, tau_syn, tau_mem = events
    membranes_at(offsets, sources, times, weights, tau_syn, tau_mem, moments, membrane)
    digits = cadc.leak_lsb + cadc.scale_lsb * membrane + cadc.noise_lsb * random.standard_normal(membrane.shape)
    read = (np.clip(np.rint(digits), 0, LARGEST) - cadc.leak_lsb) / cadc.scale_lsb
    return Membranes(largest=read.max(axis=1), last=read[:, -1])
