"""Stand-in for the chip's coordinates, as far as the artefact's scripts use them."""

from __future__ import annotations

from types import SimpleNamespace

from lightning_neuro.targets.brainscales.fake_stack.rules import COLUMNS, Refused


def _row(value: int) -> int:
    if value not in (0, 1):
        raise Refused(f"NeuronRowOnDLS({value}): there are two rows")
    return value


def _column(value: int) -> int:
    if not 0 <= value < COLUMNS:
        raise Refused(f"NeuronColumnOnDLS({value}): there are {COLUMNS} columns")
    return value


def _circuit(row: int, column: int) -> int:
    return COLUMNS * row + column


def _neuron(compartments: list[tuple[int, int]], at: int) -> tuple[int, ...]:
    """Circuits of a neuron whose first one is at ``at``."""
    row, column = divmod(at, COLUMNS)
    return tuple(_circuit(_row(row + down), _column(column + right)) for down, right in compartments)


halco = SimpleNamespace(
    NeuronRowOnDLS=_row, NeuronColumnOnDLS=_column, AtomicNeuronOnDLS=_circuit, LogicalNeuronOnDLS=_neuron
)
