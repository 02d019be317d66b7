"""How neurons of an analogue chip differ from the neuron that was asked for: named profiles and draws from them.

The one place for these numbers: training (``model.noise=NAME``) and the emulator of virtual chips both draw from here.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from lightning_neuro.errors import ConfigError

SPEEDUP = 1000.0  # BrainScaleS-2 runs so many times faster than the model: 6 ms of tau_syn are 6 us on the chip
LOWEST = 0.01  # of the nominal value: no draw takes a threshold or time constant to 0 or below


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Distribution over neurons of a factor on the nominal value.

    Args:
        mean: factor that all neurons share; 1 = as asked for.
        std: standard deviation over neurons, of the nominal value.
    """

    mean: float
    std: float

    def draw(self, shape: tuple[int, ...], generator: torch.Generator | None) -> Tensor:
        """Return normally distributed factors [*shape], float64, at least ``LOWEST``."""
        return (self.mean + self.std * torch.randn(shape, dtype=torch.float64, generator=generator)).clamp_min(LOWEST)


EXACT = Spread(mean=1.0, std=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipProfile:
    """Fixed pattern, run-to-run variation and jitter of neurons; factors on nominal values, hardware microseconds.

    Args:
        threshold: distance of the threshold from the leak potential, fixed pattern of a chip.
        threshold_run_std: standard deviation per neuron from one run of a chip to the next, of the nominal value.
        excitatory_gain: of positive weights.
        inhibitory_gain: of negative weights.
        tau_mem: membrane time constant.
        tau_syn: synaptic time constant.
        jitter_us: standard deviation of each spike time.
        latency_us: every spike of every layer comes so much later.
        grid_us: spike times go in and come out on this grid, the cycle of the FPGA (125 MHz); 0 = none.
        source: where the numbers are from.
    """

    threshold: Spread
    threshold_run_std: float
    excitatory_gain: Spread
    inhibitory_gain: Spread
    tau_mem: Spread
    tau_syn: Spread
    jitter_us: float
    latency_us: float
    grid_us: float
    source: str

    def draw(self, shape: tuple[int, ...], generator: torch.Generator | None) -> NeuronFactors:
        """Return one run of one chip: factors of independent neurons, each [*shape], float64.

        Args:
            shape: neurons, or chips and neurons.
            generator: of the random numbers; None = torch's own.
        """
        threshold = self.threshold.draw(shape, generator)
        run = self.threshold_run_std * torch.randn(shape, dtype=torch.float64, generator=generator)
        return NeuronFactors(
            threshold=(threshold + run).clamp_min(LOWEST),
            excitatory_gain=self.excitatory_gain.draw(shape, generator),
            inhibitory_gain=self.inhibitory_gain.draw(shape, generator),
            tau_mem=self.tau_mem.draw(shape, generator),
            tau_syn=self.tau_syn.draw(shape, generator),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NeuronFactors:
    """Factors on the nominal values of neurons, all of one shape; fields as in :class:`ChipProfile`."""

    threshold: Tensor
    excitatory_gain: Tensor
    inhibitory_gain: Tensor
    tau_mem: Tensor
    tau_syn: Tensor

    def to(self, like: Tensor) -> NeuronFactors:
        """Return the factors with the type and on the device of ``like``."""
        return NeuronFactors(**{f.name: getattr(self, f.name).to(like) for f in fields(self)})


PROFILES: dict[str, ChipProfile] = {
    "ideal": ChipProfile(
        threshold=EXACT,
        threshold_run_std=0.0,
        excitatory_gain=EXACT,
        inhibitory_gain=EXACT,
        tau_mem=EXACT,
        tau_syn=EXACT,
        jitter_us=0.0,
        latency_us=0.0,
        grid_us=0.0,
        source="none: neurons as they were asked for",
    ),
    "delgrad": ChipProfile(
        threshold=Spread(mean=1 + 0.13 / 2.6, std=0.08 / 2.6),
        threshold_run_std=0.04 / 2.6,
        excitatory_gain=EXACT,
        inhibitory_gain=EXACT,
        tau_mem=EXACT,
        tau_syn=EXACT,
        jitter_us=0.06,
        latency_us=0.08,
        grid_us=0.008,
        source="thresholds and jitter: hardware-aware simulation of DelGrad (fastAndDeep, yin_yang_hwAware.yaml, "
        "threshold 2.6, jitter 0.01 tau of 6 us); latency: jaxsnn (yinyang_bss2.py, hw_correction)",
    ),
    "measured-w66f3": ChipProfile(
        threshold=EXACT,
        threshold_run_std=0.0,
        excitatory_gain=Spread(mean=1.035, std=0.072),
        inhibitory_gain=Spread(mean=0.998, std=0.046),
        tau_mem=Spread(mean=1.023, std=0.093),
        tau_syn=Spread(mean=1.040, std=0.097),
        jitter_us=0.27,
        latency_us=0.30,
        grid_us=0.008,
        source="our fit to spike times recorded on chip W66F3 (fastAndDeep, yin_yang_hxpynn_W), 30 hidden neurons; "
        "gains contain the thresholds; upper bounds, since what the model lacks counts as spread or jitter",
    ),
}


def chip_profile(name: str, where: str) -> ChipProfile:
    """Return the profile called ``name``.

    Args:
        name: key of ``PROFILES``.
        where: key of the configuration that named it, for the message.

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in PROFILES:
        raise ConfigError(
            f"{where}={name} is no profile of a chip",
            where=where,
            why=f"profiles are {', '.join(PROFILES)}",
            next_command=f"{where}=delgrad",
        )
    return PROFILES[name]
