"""Quantisation as a checkpoint keeps it: widths, scales and the integer weights themselves."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lightning_neuro.graph.fixed import Format
from lightning_neuro.graph.hardware_graph import HardwareGraph, LateBias, Leak, Population, SteppedNeuron, constants_of
from lightning_neuro.graph.quantize import Formats, quantize, with_input_format
from lightning_neuro.graph.widths import QuantizeSpec, Widths, widths_of


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StoredQuantization:
    """Formats chosen once, so that every later use rounds to the same integers.

    Args:
        widths: that were asked for.
        formats: of every population, by name.
        input: of currents at the input; None where its lines carry spikes.
        weights: raw integer weights by projection name, [post, pre]; empty where only formats are kept (NIR).
        constants: float64 constants of every population by name and kind (``neuron_constants``), for programs that
            run the integers without lowering the network themselves; empty where only formats are kept.
    """

    widths: Widths
    formats: Mapping[str, Formats]
    input: Format | None
    weights: Mapping[str, NDArray[np.int64]]
    constants: Mapping[str, Mapping[str, NDArray[np.float64]]]

    @staticmethod
    def of(graph: HardwareGraph, widths: Widths, formats: Mapping[str, Formats]) -> StoredQuantization:
        """Take the integers from a quantised graph."""
        weights = {p.name: p.connection.weight.integers() for p in graph.projections}
        constants = {p.name: neuron_constants(p) for p in graph.populations}
        return StoredQuantization(
            widths=widths, formats=formats, input=graph.input.format, weights=weights, constants=constants
        )

    def apply(self, graph: HardwareGraph) -> HardwareGraph:
        """Quantise a float graph with the stored formats.

        Raises:
            ValueError: the stored integers are not what the float weights round to.
        """
        quantized = quantize(with_input_format(graph, self.input), self.formats)
        for projection in quantized.projections:
            stored = self.weights[projection.name] if self.weights else projection.connection.weight.integers()
            if not np.array_equal(projection.connection.weight.integers(), stored):
                raise ValueError(f"stored integers of {projection.name!r} do not belong to its float weights")
        return quantized

    def to_plain(self) -> dict[str, Any]:
        """Plain values and tensors."""
        return {
            **_plain_widths(self.widths),
            "lsb": {
                name: [f.weight.lsb, *([] if f.state is None else [f.state.lsb])] for name, f in self.formats.items()
            },
            **({} if self.input is None else {"input": [self.input.bits, self.input.lsb]}),
            "weights": {name: torch.from_numpy(raw.astype(_narrowest(raw))) for name, raw in self.weights.items()},
            "constants": {
                name: {key: torch.from_numpy(np.array(values)) for key, values in table.items()}
                for name, table in self.constants.items()
            },
        }

    def to_json(self) -> str:
        """Widths and scales without the integers, for NIR metadata: the float weights beside it round to the same."""
        kept = {name: value for name, value in self.to_plain().items() if name not in ("weights", "constants")}
        return json.dumps(kept)

    @staticmethod
    def from_json(text: str) -> StoredQuantization:
        """Rebuild what ``to_json`` wrote."""
        return StoredQuantization.from_plain({**json.loads(text), "weights": {}})

    @staticmethod
    def from_plain(values: Mapping[str, Any]) -> StoredQuantization:
        """Rebuild what ``to_plain`` wrote."""
        widths = _widths_from(values)
        formats = {name: _formats_from(widths_of(widths, name), lsb) for name, lsb in values["lsb"].items()}
        bits, lsb = values.get("input", (0, 0.0))  # not in files of earlier versions
        weights = {name: raw.numpy().astype(np.int64) for name, raw in values["weights"].items()}
        constants = {
            name: {key: tensor.numpy() for key, tensor in table.items()}
            for name, table in values.get("constants", {}).items()  # not in files of earlier versions
        }
        return StoredQuantization(
            widths=widths,
            formats=formats,
            input=Format(bits=int(bits), lsb=float(lsb)) if bits else None,
            weights=weights,
            constants=constants,
        )


def _plain_widths(widths: Widths) -> dict[str, Any]:
    """Three numbers, or one list of them per population."""
    if isinstance(widths, QuantizeSpec):
        return dataclasses.asdict(widths)
    return {"widths": {name: dataclasses.asdict(spec) for name, spec in widths.items()}}


def _widths_from(values: Mapping[str, Any]) -> Widths:
    if "widths" in values:
        return {name: QuantizeSpec(**spec) for name, spec in values["widths"].items()}
    return QuantizeSpec(**{field.name: values[field.name] for field in dataclasses.fields(QuantizeSpec)})


def _formats_from(spec: QuantizeSpec, lsb: Sequence[float]) -> Formats:
    """Formats of a population from its widths and the LSBs of weight and, in steps, of membrane."""
    weight, *state = (float(value) for value in lsb)
    return Formats(
        weight=Format(bits=spec.weight_bits, lsb=weight),
        state=Format(bits=spec.state_bits, lsb=state[0]) if state else None,
        leak_bits=spec.leak_bits,
    )


def _narrowest(raw: NDArray[np.int64]) -> type[np.signedinteger[Any]]:
    """The smaller of two types that holds the integers, so that checkpoints stay small."""
    return np.int8 if np.abs(raw).max(initial=0) < 128 else np.int32


def _late_key(late: LateBias) -> str:
    return f"bias_from_{late.onset}" + ("" if late.until is None else f"_until_{late.until}")


def neuron_constants(population: Population) -> dict[str, NDArray[np.float64]]:
    """Constants of a population per neuron: decays, threshold, reset potential, and its biases by their first step.

    Nothing in continuous time, where the hardware takes the NIR graph's own.
    """
    if not isinstance(population.neuron, SteppedNeuron):
        return {}
    found = {"bias": population.bias.real, **{_late_key(late): late.values.real for late in population.late_biases}}
    for name, value in constants_of(population.neuron).items():
        is_leak = isinstance(value, Leak)
        found[name.replace("leak_", "decay_") if is_leak else name] = value.beta if is_leak else value.real
    return found
