"""A NIR graph as a torch network: weights are parameters, neuron constants and the graph's structure stay as they are.

Every node runs once per step in topological order; edges that close a loop hand on the value of the step before,
zero in the first, exactly as the lowered graph does (``lightning_neuro.graph.lower``).
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from typing import Any

import nir
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from lightning_neuro.errors import NirError
from lightning_neuro.graph.blocks import strong_components
from lightning_neuro.graph.discretise import NEURONS, discretise
from lightning_neuro.graph.flatten import closing_edges, flatten
from lightning_neuro.graph.hardware_graph import CubaLif, HardwareGraph, Lif, ResetKind, Window
from lightning_neuro.graph.lower import lower
from lightning_neuro.graph.metadata import Metadata
from lightning_neuro.graph.signals import NODES, Path, Signal, delay_steps
from lightning_neuro.neurons.surrogate import Surrogate


class NirNetwork(nn.Module):
    """Layers of a NIR file, trainable.

    Args:
        graph: any graph that can be lowered.
        metadata: dt, resets, read-out.
        surrogate: derivative of the spike function.

    Raises:
        NirError: the graph cannot be lowered, or is a converted network whose neurons follow a schedule.
    """

    def __init__(self, graph: nir.NIRGraph, metadata: Metadata, surrogate: Surrogate) -> None:
        super().__init__()
        self.graph, self.metadata = flatten(graph), metadata
        self.lowered: HardwareGraph = lower(self.graph, metadata)  # refuses what cannot run
        _refuse_unknown_neurons(self.lowered)
        _refuse_schedules(self.lowered)
        self.surrogate = surrogate
        self.before: dict[str, list[str]] = {}
        for pre, post in self.graph.edges:
            self.before.setdefault(post, []).append(pre)
        source = self.lowered.input.name
        delays = _delays(self.graph, metadata.dt_s)
        self.closing = closing_edges(
            self.graph.nodes, self.graph.edges, start=source, delays={n for n, d in delays.items() if (d > 0).all()}
        )
        self.order = _order(self.graph, self.closing, {n for n, d in delays.items() if (d > 0).all()})
        self.units = nn.ModuleDict(self._units(delays))

    def _units(self, delays: dict[str, np.ndarray]) -> dict[str, nn.Module]:
        shapes: dict[str, tuple[int, ...]] = {p.name: p.shape for p in self.lowered.populations}
        shapes[self.lowered.input.name] = self.lowered.input.shape
        units: dict[str, nn.Module] = {}
        waiting = [name for name in self.order if name not in shapes]
        while waiting:
            ready = [n for n in waiting if any(pre in shapes for pre in self.before.get(n, ()))]
            if not ready:
                break  # nothing reaches these nodes
            for name in ready:
                pre = next(pre for pre in self.before[name] if pre in shapes)
                units[_key(name)], shapes[name] = _unit(name, self.graph.nodes[name], shapes[pre], self.metadata.dt_s)
            waiting = [name for name in waiting if name not in shapes]
        for name, steps in delays.items():
            units[_key(name)] = _Delay(steps)
        for population in self.lowered.populations:
            node = self.graph.nodes[population.name]
            reset = self.metadata.resets.get(population.name, NEURONS[type(node)].reset)
            units[_key(population.name)] = _Neurons(
                discretise(population.name, node, self.metadata.dt_s, reset), population.shape, self.surrogate
            )
        return units

    def forward(self, raster: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
        """Run from rest.

        Args:
            raster: [time, batch, n] spikes or currents.

        Returns:
            (spikes, membrane) of every neuron node, [time, batch, n].
        """
        states: dict[str, Any] = {}
        last: dict[str, Tensor] = {}
        history: dict[str, list[tuple[Tensor, Tensor]]] = {p.name: [] for p in self.lowered.populations}
        for row in raster:
            now: dict[str, Tensor] = {self.lowered.input.name: row.reshape(len(row), *self.lowered.input.shape)}
            for name in self.order:
                if name in now or _key(name) not in self.units:
                    continue
                unit = self.units[_key(name)]
                if isinstance(unit, _Delay) and unit.holds:
                    value = unit.past(states.get(name))
                else:
                    value, states[name] = unit(self._arriving(name, now, last), states.get(name), len(row))
                if value is None:
                    continue
                now[name] = value
                if name in history:
                    history[name].append((now[name].flatten(1), states[name][0].flatten(1)))
            for name, unit in self.units.items():
                if isinstance(unit, _Delay) and unit.holds:
                    node = self._name(name)
                    states[node] = unit.remember(states.get(node), self._arriving(node, now, last))
            last = now
        return {
            name: (torch.stack([s for s, _ in steps]), torch.stack([v for _, v in steps]))
            for name, steps in history.items()
        }

    def _name(self, key: str) -> str:
        return next(name for name in self.graph.nodes if _key(name) == key)

    def _arriving(self, name: str, now: dict[str, Tensor], last: dict[str, Tensor]) -> Tensor | None:
        total: Tensor | None = None
        for pre in self.before.get(name, ()):
            value = last.get(pre) if (pre, name) in self.closing else now.get(pre)
            if value is not None:
                total = value if total is None else total + value.reshape(total.shape)
        return total

    def as_graph(self) -> nir.NIRGraph:
        """The graph with the weights as they are now, and this network's metadata."""
        nodes = {name: copy.copy(node) for name, node in self.graph.nodes.items()}
        for name, node in nodes.items():
            unit = self.units[_key(name)] if _key(name) in self.units else None
            if isinstance(unit, _Weighted):
                for key, parameter in unit.parameters_by_name():
                    setattr(node, key, parameter.detach().cpu().numpy().copy())
        return nir.NIRGraph(nodes=nodes, edges=self.graph.edges, metadata=self.metadata.to_dict(), type_check=False)


def _key(name: str) -> str:
    """Module names may not contain dots."""
    return name.replace(".", "__")


def _delays(graph: nir.NIRGraph, dt_s: float) -> dict[str, np.ndarray]:
    return {n: delay_steps(n, node, dt_s) for n, node in graph.nodes.items() if isinstance(node, nir.Delay)}


def _order(graph: nir.NIRGraph, closing: set[tuple[str, str]], delayed: set[str]) -> list[str]:
    """Topological order of the nodes within a step; a Delay node gives its value before it takes one."""
    after: dict[str, list[str]] = {}
    for pre, post in graph.edges:
        if (pre, post) not in closing and post not in delayed:
            after.setdefault(pre, []).append(post)
    return [name for (name,) in strong_components(sorted(graph.nodes), after)]


# -- units -------------------------------------------------------------------------------------------------------


class _Weighted(nn.Module):
    """A linear node with weights; its NIR arrays are parameters of the same names."""

    def __init__(self, node: Any, shape: tuple[int, ...], run: Callable[[Tensor, Any], Tensor]) -> None:
        super().__init__()
        self.shape, self.run = shape, run
        for key in ("weight", "bias", "scale"):
            if getattr(node, key, None) is not None:
                values = torch.tensor(np.asarray(getattr(node, key)), dtype=torch.float32)
                self.register_parameter(key, nn.Parameter(values))

    def parameters_by_name(self) -> list[tuple[str, Tensor]]:
        return list(self.named_parameters())

    def forward(self, value: Tensor | None, state: Any, batch: int) -> tuple[Tensor, None]:
        weight = next(self.parameters())
        value = torch.zeros(batch, *self.shape, device=weight.device) if value is None else value
        return self.run(value.reshape(batch, *self.shape), self), None


class _Plain(nn.Module):
    """Pooling, Flatten and what passes values on."""

    def __init__(self, shape: tuple[int, ...], run: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.shape, self.run = shape, run
        self.register_buffer("anchor", torch.zeros(()), persistent=False)

    def forward(self, value: Tensor | None, state: Any, batch: int) -> tuple[Tensor, None]:
        zero = torch.zeros(batch, *self.shape, device=self.anchor.device)  # type: ignore[arg-type]
        return self.run(zero if value is None else value.reshape(batch, *self.shape)), None


class _Delay(nn.Module):
    """Whole steps, one number for each line; zero before. With no line undelayed it gives before it takes."""

    def __init__(self, steps: np.ndarray) -> None:
        super().__init__()
        self.steps = steps.ravel()

    @property
    def holds(self) -> bool:
        """Whether every line waits, so that the node's value does not depend on this step's input."""
        return bool((self.steps > 0).all())

    def forward(
        self, value: Tensor | None, state: list[Tensor] | None, batch: int
    ) -> tuple[Tensor | None, list[Tensor]]:
        stored = self.remember(state, value)
        return self._gathered(stored, 1), stored

    def past(self, stored: list[Tensor] | None) -> Tensor | None:
        """This step's value, before this step's input is known."""
        return self._gathered(stored or [], 0)

    def remember(self, stored: list[Tensor] | None, value: Tensor | None) -> list[Tensor]:
        """Keep as many steps as the longest delay needs."""
        kept = stored or []
        return kept if value is None else [*kept, value][-int(self.steps.max()) - 1 :]

    def _gathered(self, stored: list[Tensor], newest: int) -> Tensor | None:
        if not stored:
            return None
        total = torch.zeros_like(stored[0]).flatten(1)
        for delay in map(int, np.unique(self.steps)):
            if 0 < delay + newest <= len(stored):
                mask = torch.tensor(self.steps == delay, device=total.device)  # one mask of size 1 holds for all
                total = total + stored[-delay - newest].flatten(1) * mask
        return total.reshape(stored[0].shape)


def _refuse_unknown_neurons(graph: HardwareGraph) -> None:
    strange = [p.name for p in graph.populations if type(p.neuron) not in (Lif, CubaLif)]
    if strange:
        kinds = sorted({type(p.neuron).__name__ for p in graph.populations if p.name in strange})
        raise NirError(
            f"neurons of kind {', '.join(kinds)} in {', '.join(strange)}",
            where="the network",
            why="training knows the steps of LIF, IF and current-based neurons; this kind has no differentiable form",
            next_command="deploy the file as it is",
        )


def _refuse_schedules(graph: HardwareGraph) -> None:
    scheduled = [
        p.name
        for p in graph.populations
        if isinstance(p.neuron, Lif | CubaLif)
        and (p.neuron.v_init.real.any() or p.fires_from or p.fires_until or any(x.until for x in p.late_biases))
    ]
    if scheduled:
        raise NirError(
            f"initial membranes, late first spikes or biases that end in {', '.join(scheduled)}",
            where="metadata of the network",
            why="this is a network that was converted from an ANN; training starts from membranes at 0 and lets "
            "neurons spike at any time",
            next_command="train the ANN and convert it again: python train.py model=rate",
        )


class _Neurons(nn.Module):
    """The five lines of a step, differentiable; resets carry no gradient."""

    def __init__(self, stepped: Any, shape: tuple[int, ...], surrogate: Surrogate) -> None:
        super().__init__()
        neuron = stepped.neuron
        self.shape, self.reset, self.surrogate = shape, neuron.reset, surrogate
        constants = {
            "gain": stepped.gain,
            "beta": neuron.leak_mem.beta,
            "threshold": neuron.threshold.real,
            "v_reset": neuron.v_reset.real,
        }
        if isinstance(neuron, CubaLif):
            constants["alpha"] = neuron.leak_syn.beta
        self.current_based = isinstance(neuron, CubaLif)
        for key, value in constants.items():
            self.register_buffer(key, torch.tensor(value, dtype=torch.float32).reshape(shape))

    def forward(self, value: Tensor | None, state: Any, batch: int) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
        c: Any = self
        zero = torch.zeros(batch, *self.shape, device=c.beta.device)
        v, i, fired = (zero, zero, zero) if state is None else state
        kind, delay = self.reset.kind, self.reset.delay
        x = zero if value is None else c.gain * value.reshape(batch, *self.shape)
        if kind is ResetKind.ZERO and delay == 1:
            v = torch.where(fired > 0, c.v_reset, v)
        if self.current_based:
            i = c.alpha * i + x
            x = i
        v = c.beta * v + x
        if kind is ResetKind.SUBTRACT and delay == 1:
            v = v - fired * c.threshold
        if kind is ResetKind.CLAMP:
            v = torch.where(fired > 0, c.v_reset, v)
        if kind is ResetKind.NONE:
            return zero, (v, i, zero)
        spikes = self.surrogate(v - c.threshold)
        fired = spikes.detach()
        if delay == 0:
            v = torch.where(fired > 0, c.v_reset, v) if kind is ResetKind.ZERO else v - fired * c.threshold
        return spikes, (v, i, fired)


def _unit(name: str, node: nir.NIRNode, shape: tuple[int, ...], dt_s: float) -> tuple[nn.Module, tuple[int, ...]]:
    """The torch form of a linear node, and the shape behind it (by the same rules as lowering)."""
    path = Path(source="", source_shape=shape, stages=(), delay=0)
    behind = NODES[type(node)](name, node, Signal(shape=shape, paths=(path,), biases=()), dt_s)
    stages = behind.paths[0].stages
    if isinstance(node, nir.Affine | nir.Linear):
        return _Weighted(node, (int(np.prod(shape)),), _matrix), behind.shape
    if isinstance(node, nir.Scale):
        return _Weighted(node, shape, _scale), behind.shape
    if isinstance(node, nir.Conv1d | nir.Conv2d):
        stage: Any = stages[0]
        return _Weighted(node, shape, _convolve(stage.window, stage.groups)), behind.shape
    if isinstance(node, nir.SumPool2d | nir.AvgPool2d):
        window: Any = stages[0]
        divisor = 1 if isinstance(node, nir.SumPool2d) else window.taps
        return _Plain(shape, _pool(window, divisor)), behind.shape
    return _Plain(shape, lambda x, out=behind.shape: x.reshape(len(x), *out)), behind.shape


def _matrix(value: Tensor, unit: Any) -> Tensor:
    return functional.linear(value, unit.weight, getattr(unit, "bias", None))


def _scale(value: Tensor, unit: Any) -> Tensor:
    same_rank = unit.scale.ndim == value.ndim - 1
    return value * (unit.scale if same_rank else unit.scale.reshape(value.shape[1:]))


def _convolve(window: Window, groups: int) -> Callable[[Tensor, Any], Tensor]:
    pads = [n for pair in window.padding[::-1] for n in pair]
    convolve: Any = functional.conv1d if len(window.kernel) == 1 else functional.conv2d

    def run(value: Tensor, unit: Any) -> Tensor:
        padded = functional.pad(value, pads)
        return convolve(padded, unit.weight, unit.bias, window.stride, 0, window.dilation, groups)

    return run


def _pool(window: Window, divisor: int) -> Callable[[Tensor], Tensor]:
    pad = tuple(before for before, _ in window.padding)
    return lambda x: functional.avg_pool2d(x, window.kernel, window.stride, pad, divisor_override=divisor)


def with_metadata(metadata: Metadata, **changes: Any) -> Metadata:
    """Metadata with other fields."""
    return dataclasses.replace(metadata, **changes)
