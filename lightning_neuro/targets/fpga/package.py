"""The one generated file: ``network_pkg.vhd`` with the constants and weight memories of all layers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.graph.hardware_graph import ResetKind
from lightning_neuro.targets.fpga.geometry import Axis
from lightning_neuro.targets.fpga.plan import LayerPlan

RESET_NAMES = {
    ResetKind.NONE: "RESET_NONE",
    ResetKind.ZERO: "RESET_ZERO",
    ResetKind.SUBTRACT: "RESET_SUBTRACT",
    ResetKind.CLAMP: "RESET_CLAMP",
    ResetKind.ONCE: "RESET_ONCE",
}

_LITERAL_BITS = 128  # longest literal; several tools stop at long ones
_LOWEST_INTEGER = -(2**31)


def network_package(layers: Sequence[LayerPlan]) -> str:
    """VHDL text of the package.

    Args:
        layers: plans in order.
    """
    tables = "\n".join(_layer_tables(index, layer) for index, layer in enumerate(layers))
    records = ",\n".join(_record(index, layer) for index, layer in enumerate(layers))
    accessors = [_accessor(name, table, len(layers)) for name, table in _ACCESSORS.items()]
    accessors += [_axis_accessor(name, prefix, layers) for name, prefix in _AXIS_ACCESSORS.items()]
    last = layers[-1]
    return f"""\
-- Generated: constants and weight memories of this network.
-- Everything else in this folder is the same for all networks.
library ieee;
use ieee.std_logic_1164.all;
use work.snn_pkg.all;

package network_pkg is

  constant LAYERS : layers_t(0 to {len(layers) - 1}) := (
{records});

  constant INPUT_ADDRESS_BITS  : positive := {_index_bits(layers[0].inputs)};
  constant INPUT_VALUE_BITS    : positive := {max(1, layers[0].value_bits)};
  constant OUTPUT_ADDRESS_BITS : positive := {_index_bits(last.neurons)};
  constant OUTPUT_VALUE_BITS   : positive := {last.state_bits};

{tables}
  -- The tables of one layer, for generics.
{"".join(declaration for declaration, _ in accessors)}
end package;

package body network_pkg is

{chr(10).join(body for _, body in accessors)}
end package body;
"""


def memory_words(layer: LayerPlan) -> list[str]:
    """Words of a weight memory as strings of bits, lane 0 rightmost.

    Word = group * rows + row or, behind an address generator, row * turns + turn. Lanes without a neuron in the last
    group hold zeros.
    """
    padded = np.zeros((len(layer.rows), layer.turns * layer.lanes), np.int64)
    padded[:, : layer.rows.shape[1]] = layer.rows
    turns = padded.reshape(len(layer.rows), layer.turns, layer.lanes)
    words = (turns if layer.spread is not None else turns.transpose(1, 0, 2)).reshape(-1, layer.lanes)
    mask = (1 << layer.weight_bits) - 1
    width = layer.weight_bits
    return ["".join(f"{value & mask:0{width}b}" for value in reversed(word)) for word in words.tolist()]


def literal(bits: str) -> str:
    """A bit string as concatenated VHDL literals, hexadecimal as far as it goes.

    >>> literal("1011111")
    '"101" & x"f"'
    """
    head = len(bits) % 4
    parts = [f'"{bits[:head]}"'] if head else []
    for start in range(head, len(bits), _LITERAL_BITS):
        chunk = bits[start : start + _LITERAL_BITS]
        parts.append(f'x"{int(chunk, 2):0{len(chunk) // 4}x}"')
    return " & ".join(parts)


def _index_bits(count: int) -> int:
    """Bits of an index 0 .. count-1, at least one (as in snn_pkg)."""
    return max(1, (count - 1).bit_length())


def _record(index: int, layer: LayerPlan) -> str:
    leak_shift = layer.leak.integers()[1]
    in_rows, in_columns, in_channels = layer.spread.shape if layer.spread is not None else (1, 1, layer.inputs)
    fields: list[tuple[str, object]] = [
        ("inputs", layer.inputs),
        ("value_bits", layer.value_bits),
        ("feedback_rows", layer.feedback_rows),
        ("neurons", layer.neurons),
        ("lanes", layer.lanes),
        ("groups", layer.groups),
        ("spreads", str(layer.spread is not None).lower()),
        ("in_rows", in_rows),
        ("in_columns", in_columns),
        ("in_channels", in_channels),
        ("turns", layer.turns),
        ("words", layer.memory_depth),
        ("weight_bits", layer.weight_bits),
        ("weight_shift", layer.weight_shift),
        ("biases", len(layer.biases)),
        ("fires_from", layer.fires_from),
        ("fires_until", layer.fires_until or 0),
        ("state_bits", layer.state_bits),
        ("sum_bits", layer.sum_bits),
        ("leak_shift", leak_shift),
        ("reset_kind", RESET_NAMES[layer.reset.kind]),
        ("reset_delay", layer.reset.delay),
        ("current_based", str(layer.current_leak is not None).lower()),
        ("current_bits", layer.current_bits or 1),
        ("current_leak_shift", layer.current_leak.integers()[1] if layer.current_leak is not None else 0),
        ("emits_membranes", str(layer.emits_membranes).lower()),
    ]
    body = ",\n".join(f"      {name:<18} => {value}" for name, value in fields)
    name = "".join(c if c.isalnum() or c in "_.-" else "_" for c in layer.name)
    return f"    {index} => (  -- {name}\n{body})"


def _layer_tables(index: int, layer: LayerPlan) -> str:
    words = memory_words(layer)
    current = layer.current_leak.integers()[0] if layer.current_leak is not None else np.zeros(1, np.int64)
    biases = np.concatenate([b.values for b in layer.biases] or [np.zeros(1, np.int64)])
    memory = ",\n".join(f"    {address} => {literal(word)}" for address, word in enumerate(words))
    bounds = f"memory_t({len(words) - 1} downto 0)({layer.word_bits - 1} downto 0)"
    return "\n".join(
        [
            _integers(f"THRESHOLDS_{index}", layer.threshold),
            _integers(f"RESET_VALUES_{index}", layer.v_reset),
            _integers(f"INITIAL_VALUES_{index}", layer.v_init),
            _integers(f"BIASES_{index}", biases),
            _integers(f"BIAS_ONSETS_{index}", np.array([b.onset for b in layer.biases] or [0])),
            _integers(f"BIAS_ENDS_{index}", np.array([b.end for b in layer.biases] or [0])),
            _integers(f"LEAK_MULTIPLIERS_{index}", layer.leak.integers()[0]),
            _integers(f"CURRENT_LEAK_MULTIPLIERS_{index}", current),
            *(_axis(index, name, axis) for name, axis in _axes(layer).items()),
            f"  constant WEIGHTS_{index} : {bounds} := (\n{memory});\n",
        ]
    )


def _integers(name: str, values: NDArray[np.int64]) -> str:
    distinct = set(values.tolist())
    if len(distinct) == 1:
        body = f"others => {_integer(distinct.pop())}"
    else:
        body = ", ".join(f"{k} => {_integer(value)}" for k, value in enumerate(values.tolist()))
    return f"  constant {name} : integer_vector(0 to {len(values) - 1}) := ({body});"


def _integer(value: int) -> str:
    # VHDL has no literal for the lowest integer: "-2147483648" is minus applied to a number out of range
    return "integer'low" if value == _LOWEST_INTEGER else str(value)


_ACCESSORS = {
    "weights_of": ("memory_t", "WEIGHTS"),
    "thresholds_of": ("integer_vector", "THRESHOLDS"),
    "reset_values_of": ("integer_vector", "RESET_VALUES"),
    "leak_multipliers_of": ("integer_vector", "LEAK_MULTIPLIERS"),
    "current_leak_multipliers_of": ("integer_vector", "CURRENT_LEAK_MULTIPLIERS"),
    "initial_values_of": ("integer_vector", "INITIAL_VALUES"),
    "biases_of": ("integer_vector", "BIASES"),
    "bias_onsets_of": ("integer_vector", "BIAS_ONSETS"),
    "bias_ends_of": ("integer_vector", "BIAS_ENDS"),
}

_AXIS_ACCESSORS = {"tap_counts_of": "TAP_COUNTS", "tap_groups_of": "TAP_GROUPS", "tap_weights_of": "TAP_WEIGHTS"}


def _accessor(name: str, table: tuple[str, str], count: int) -> tuple[str, str]:
    """Declaration and body of a function from the layer's index to its table."""
    kind, prefix = table
    head = f"  function {name}(index : natural) return {kind}"
    choices = "".join(f"    if index = {k} then\n      return {prefix}_{k};\n    end if;\n" for k in range(count - 1))
    return head + ";\n", f"{head} is\n  begin\n{choices}    return {prefix}_{count - 1};\n  end function;\n"


def _axes(layer: LayerPlan) -> dict[str, Axis]:
    """Tables of the address generator by the axis' name in the VHDL."""
    spread = layer.spread
    return {} if spread is None else {"ROW": spread.rows, "COLUMN": spread.columns, "CHANNEL": spread.channels}


def _axis(index: int, name: str, axis: Axis) -> str:
    tables = {"TAP_COUNTS": axis.counts, "TAP_GROUPS": axis.groups, "TAP_WEIGHTS": axis.weights}
    return "\n".join(_integers(f"{prefix}_{index}_{name}", np.array(values)) for prefix, values in tables.items())


def _axis_accessor(name: str, prefix: str, layers: Sequence[LayerPlan]) -> tuple[str, str]:
    """The same for the tables of address generators; layers without one have none."""
    head = f"  function {name}(index : natural; axis : axis_t) return integer_vector"
    choices = "".join(
        f"    if index = {k} and axis = {axis}_AXIS then\n      return {prefix}_{k}_{axis};\n    end if;\n"
        for k, layer in enumerate(layers)
        for axis in _axes(layer)
    )
    none = "integer_vector'(0 to 0 => 0)"
    return head + ";\n", f"{head} is\n  begin\n{choices}    return {none};\n  end function;\n"
