"""Modules of the stand-in: they remember what was asked for until ``run``, which answers all handles at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lightning_neuro.targets.brainscales.fake_stack import rules
from lightning_neuro.targets.brainscales.fake_stack.rules import Refused

from .. import hardware
from .dynamics import euler, on_chip
from .morphology import SingleCompartmentNeuron


@dataclass(frozen=True)
class MixedHXModelParameter:
    """One number in the model, another on the chip."""

    model_value: float
    hardware_value: float


class LIFObservables:
    """Handle of a population: spikes [step, sample, neuron], and the membrane of a read-out."""

    def __init__(self, spikes: Tensor | None = None) -> None:
        self.spikes: Tensor | None = spikes
        self.membrane_cadc: Tensor | None = None


@dataclass(eq=False)
class SynapseHandle:
    """Synapses on a handle."""

    source: LIFObservables
    synapse: Synapse


class Experiment:
    """Modules on one chip."""

    def __init__(self, mock: bool = True, dt: float = 1e-6) -> None:
        self.mock, self.dt = mock, dt
        self.calls: list[tuple[Population, SynapseHandle, LIFObservables]] = []
        self.taken: set[int] = set()
        self.cells: list[dict[str, float]] = []


class Synapse:
    """Dense synapses."""

    def __init__(
        self, in_features: int, out_features: int, *, experiment: Experiment, transform: Callable[[Tensor], Tensor]
    ) -> None:
        self.weight = torch.nn.Parameter(torch.zeros(out_features, in_features))
        self.experiment, self.transform = experiment, transform
        self.shape = (out_features, in_features)

    def __call__(self, handle: LIFObservables) -> SynapseHandle:
        """Connect a handle."""
        return SynapseHandle(handle, self)

    def lsb(self) -> Any:
        """Weights as the chip gets them."""
        found = self.transform(self.weight.data).numpy()
        if found.shape != self.shape:
            raise Refused(f"weights of the shape {found.shape} for {self.shape}")
        if np.abs(found).max(initial=0) > rules.LARGEST or (found != np.rint(found)).any():
            raise Refused("weights on the chip are whole numbers of -63 to 63; hxtorch would clip and round in silence")
        return found.astype(np.int64)


class Population:
    """Neurons; parameters are numbers or pairs of model and chip."""

    spiking = True

    def __init__(
        self,
        size: int,
        *,
        experiment: Experiment,
        tau_mem: float,
        tau_syn: float,
        leak: MixedHXModelParameter,
        membrane_capacitance: MixedHXModelParameter,
        i_synin_gm: int,
        synapse_dac_bias: int,
        neuron_structure: SingleCompartmentNeuron,
        placement_constraint: list[tuple[int, ...]] | None = None,
        threshold: MixedHXModelParameter | None = None,
        reset: MixedHXModelParameter | None = None,
        refractory_time: float = 1e-6,
        enable_cadc_recording: bool = True,
        shift_cadc_to_first: bool = False,
    ) -> None:
        self.size, self.experiment, self.cadc = size, experiment, enable_cadc_recording
        threshold = threshold or MixedHXModelParameter(1.0, 125)
        reset = reset or MixedHXModelParameter(0.0, leak.hardware_value)
        self.model = {
            "tau_mem": tau_mem, "tau_syn": tau_syn, "leak": leak.model_value, "threshold": threshold.model_value,
            "reset": reset.model_value, "refractory": refractory_time,
        }  # fmt: skip
        self.chip = rules.whole(
            {
                "v_rest": leak.hardware_value,
                "v_reset": reset.hardware_value,
                "v_thresh": threshold.hardware_value,
                "tau_m": tau_mem * 1e6,
                "tau_syn_E": tau_syn * 1e6,
                "tau_syn_I": tau_syn * 1e6,
                "cm": membrane_capacitance.hardware_value,
                "tau_refrac": refractory_time * 1e6,
                "i_synin_gm_E": i_synin_gm,
                "i_synin_gm_I": i_synin_gm,
                "synapse_dac_bias": synapse_dac_bias,
            }
        )
        if not experiment.mock:
            self._place(neuron_structure, placement_constraint)

    def _place(self, structure: SingleCompartmentNeuron, places: list[tuple[int, ...]] | None) -> None:
        experiment = self.experiment
        if places is None or len(places) != self.size:
            raise Refused(f"{len(places or [])} places for {self.size} neurons")
        circuits = [circuit for place in places for circuit in place]
        if any(len(place) != structure.size for place in places):
            raise Refused(f"places of another shape than the neuron's {structure.size} circuits")
        if len(set(circuits)) < len(circuits) or experiment.taken & set(circuits):
            raise Refused("Cannot register ID: two neurons on one circuit")
        experiment.taken |= set(circuits)
        experiment.cells.append(self.chip)
        rules.same_for_all(experiment.cells)
        self.fan_in = 128 * structure.size

    def __call__(self, synapses: SynapseHandle) -> LIFObservables:
        """Connect synapses."""
        out = LIFObservables()
        self.experiment.calls.append((self, synapses, out))
        return out


class LIF(Population):
    """Neurons that spike."""


class LI(Population):
    """Neurons whose membrane is read."""

    spiking = False


def run(experiment: Experiment, runtime: int) -> None:
    """Answer every handle; spikes and membranes are there afterwards."""
    if not isinstance(runtime, int):
        raise Refused("runtime is a whole number of steps")
    if not experiment.mock and not hardware.held:
        raise Refused("init_hardware() must be called before a run on the chip")
    for population, synapses, out in experiment.calls:
        spikes = synapses.source.spikes
        if spikes is None or tuple(spikes.shape[::2]) != (runtime, synapses.synapse.shape[1]):
            raise Refused(f"spikes {None if spikes is None else tuple(spikes.shape)} for {synapses.synapse.shape}")
        if population.size != synapses.synapse.shape[0]:
            raise Refused(f"{synapses.synapse.shape[0]} outputs of synapses into {population.size} neurons")
        if not experiment.mock and spikes.shape[2] > population.fan_in:
            raise Refused(f"{spikes.shape[2]} signed sources, and a neuron has rows for {population.fan_in}")
        answer = euler if experiment.mock else on_chip
        weights = synapses.synapse.weight.data.numpy() if experiment.mock else synapses.synapse.lsb()
        constants = population.model if experiment.mock else population.chip
        found = torch.from_numpy(answer(spikes.numpy(), weights, constants, experiment.dt, population.spiking))
        out.spikes, out.membrane_cadc = (found, None) if population.spiking else (None, found)
    experiment.calls = []
