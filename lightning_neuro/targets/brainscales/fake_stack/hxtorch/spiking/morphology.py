"""Neurons of several circuits."""

from __future__ import annotations

from lightning_neuro.targets.brainscales.fake_stack.rules import Refused


class SingleCompartmentNeuron:
    """One membrane of several circuits, (rows down, columns to the right) of the first."""

    def __init__(self, size: int, expand_horizontally: bool = False) -> None:
        if size < 1 or (size % 2 and size > 1 and not expand_horizontally):
            raise Refused(f"a neuron of {size} circuits in two rows")
        self.size = size
        flat = [(0, k) for k in range(size)]
        self.compartments = flat if expand_horizontally else [(k % 2, k // 2) for k in range(size)]
