"""Cells, populations, connectors and projections of the stand-in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from lightning_neuro.targets.brainscales.fake_stack import rules
from lightning_neuro.targets.brainscales.fake_stack.rules import Refused

from . import state


class SpikeSourceArray:
    """Plays spike times in ms."""

    def __init__(self, spike_times: Sequence[Any] = ()) -> None:
        self.spike_times = spike_times
        self.parameters: dict[str, float] = {}


class CalibHXNeuronCuba:
    """Neuron that is calibrated for its parameters at the first run."""

    def __init__(self, **parameters: Any) -> None:
        self.parameters = rules.whole(parameters)


class HXNeuron:
    """Neuron whose parameters come from a calibration file; without one it never spikes."""

    def __init__(self) -> None:
        self.parameters: dict[str, float] = {}


class StaticSynapse:
    """Synapse without plasticity."""

    def __init__(self, weight: float = 0.0, delay: float = 0.0) -> None:
        if delay != 0:
            raise Refused("Setting the delay unequal 0 is not supported.")
        self.weight = weight


class FromListConnector:
    """Connections one by one: pre, post, and the columns that are named."""

    def __init__(self, conn_list: Sequence[tuple[Any, ...]], column_names: Sequence[str]) -> None:
        if list(column_names) not in (["weight"], ["weight", "delay"]):
            raise Refused(f"columns {list(column_names)}: a connection has a weight and a delay")
        self.rows = [dict(zip(("pre", "post", *column_names), row, strict=True)) for row in conn_list]
        if not self.rows:
            raise Refused("FromListConnector: an empty list has no columns")


class Population:
    """Cells of one kind."""

    def __init__(self, size: int, cell: Any, label: str | None = None) -> None:
        if state.now is None:
            raise Refused("setup() must be called before anything is made")
        if not isinstance(size, (int, np.integer)) or size < 1:
            raise Refused(f"a population of {size!r} cells")
        if not isinstance(cell, SpikeSourceArray | CalibHXNeuronCuba | HXNeuron):
            raise Refused(f"{cell!r} is no cell of BrainScaleS-2")
        self.size, self.cell, self.recorded = int(size), cell, False
        self.times: Sequence[Any] = cell.spike_times if isinstance(cell, SpikeSourceArray) else ()
        self.segments: list[Any] = []
        self.label = state.now.add(self, label)

    @property
    def neurons(self) -> bool:
        """Whether these are on the chip."""
        return not isinstance(self.cell, SpikeSourceArray)

    def record(self, variables: Any) -> None:
        """Record spikes; sources record nothing."""
        if not self.neurons or (variables != "spikes" and list(variables) != ["spikes"]):
            raise Refused(f"cannot record {variables!r} of {self.label}")
        self.recorded = True

    def set(self, **parameters: Any) -> None:
        """Set spike times [line] in ms."""
        if self.neurons or set(parameters) != {"spike_times"}:
            raise Refused(f"{self.label} has no parameter {sorted(parameters)}")
        times = parameters["spike_times"]
        if len(times) != self.size:
            raise Refused(f"{self.label}: {len(times)} lists of spike times for {self.size} lines")
        for line, values in enumerate(times):
            found = np.asarray(values, float)
            if found.ndim != 1 or (found < 0).any() or (np.diff(found) < 0).any():
                raise Refused(f"{self.label}, line {line}: spike times must be sorted and not negative")
        self.times = times

    def get_data(self, variables: Any) -> SimpleNamespace:
        """What was recorded, a segment per run."""
        if not self.recorded or not self.segments:
            raise Refused(f"{self.label}: nothing was recorded")
        if variables not in ("spikes", ["spikes"]):
            raise Refused(f"cannot read {variables!r}")
        return SimpleNamespace(segments=[SimpleNamespace(spiketrains=trains) for trains in self.segments])


@dataclass(frozen=True, slots=True, eq=False)
class Synapse:
    """One connection."""

    pre: int
    post: int
    weight: int


class Projection:
    """Connections of one receptor type between two populations."""

    def __init__(
        self,
        presynaptic_neurons: Population,
        postsynaptic_neurons: Population,
        connector: FromListConnector,
        synapse_type: StaticSynapse | None = None,
        receptor_type: str = "excitatory",
        label: str | None = None,
    ) -> None:
        if state.now is None:
            raise Refused("setup() must be called before anything is made")
        if receptor_type not in ("excitatory", "inhibitory"):
            raise Refused(f"no receptor type {receptor_type!r}")
        if not postsynaptic_neurons.neurons:
            raise Refused("a spike source takes no synapses")
        self.pre, self.post, self.receptor_type, self.label = (
            presynaptic_neurons,
            postsynaptic_neurons,
            receptor_type,
            label,
        )
        default = {"weight": (synapse_type or StaticSynapse()).weight, "delay": 0.0}
        self.connections = [self._connection({**default, **row}) for row in connector.rows]
        state.now.projections.append(self)

    def _connection(self, row: Mapping[str, Any]) -> Synapse:
        pre, post = int(row["pre"]), int(row["post"])
        if not (0 <= pre < self.pre.size and 0 <= post < self.post.size):
            raise Refused(f"no neuron {pre} -> {post} in {self.pre.label} -> {self.post.label}")
        weight = rules.weight_of(row["weight"], self.receptor_type)
        if row["delay"] != 0:
            raise Refused("Setting the delay unequal 0 is not supported.")
        return Synapse(pre, post, weight)

    def matrix(self) -> Any:
        """Signed weights [post, pre]."""
        weights = np.zeros((self.post.size, self.pre.size), np.int64)
        for c in self.connections:
            weights[c.post, c.pre] += c.weight
        return weights
