"""What the real interface accepts: names, ranges and limits, each refused in the words of the interface where known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

LARGEST = 63
CIRCUITS = 512
COLUMNS = 256
ROWS = 256  # of synapses, per hemisphere
ROWS_PER_BUS = 64
BUSES = 4
BLOCK = 32  # columns that share an event output
LONGEST_MS = 2**32 * 8e-6  # a counter of 32 bits at 125 MHz
CLOCK_SPAN = 255 / 30  # refractory times that one clock scale covers
CUBA: Mapping[str, tuple[float, float, float]] = {  # default, lowest, highest
    "v_rest": (80.0, 50, 160),
    "v_reset": (70.0, 50, 160),
    "v_thresh": (125.0, 50, 220),
    "tau_m": (10.0, 0.5, 60),
    "tau_syn_E": (10.0, 0.3, 30),
    "tau_syn_I": (10.0, 0.3, 30),
    "cm": (63, 0, 63),
    "tau_refrac": (2.0, 0.04, 32),
    "i_synin_gm_E": (500, 30, 800),
    "i_synin_gm_I": (500, 30, 800),
    "synapse_dac_bias": (600, 30, 1022),
}
SHARED = ("i_synin_gm_E", "i_synin_gm_I", "synapse_dac_bias")


class Refused(ValueError):
    """A rule of the interface is broken."""


class ConnectionError(Refused):  # the name that PyNN gives it
    """A weight has the wrong sign."""


def whole(parameters: Mapping[str, Any]) -> dict[str, float]:
    """Parameters of a calibrated cell, checked; potentials are cut off to whole LSB, as the interface does."""
    unknown = set(parameters) - set(CUBA)
    if unknown:
        raise Refused(f"CalibHXNeuronCuba has no parameter {sorted(unknown)}; it has {sorted(CUBA)}")
    values = {}
    for name, (default, low, high) in CUBA.items():
        value = parameters.get(name, default)
        if not np.isscalar(value):
            raise Refused(f"{name}: this stand-in takes one number per population")
        if not low <= float(value) <= high:  # type: ignore[arg-type]
            raise Refused(f"{name} = {value} is out of its range, {low} to {high}")
        values[name] = float(value)  # type: ignore[arg-type]
    for name in ("v_rest", "v_reset", "v_thresh", "cm", *SHARED):
        values[name] = float(int(values[name]))
    return values


def same_for_all(cells: Sequence[Mapping[str, float]]) -> None:
    """Technical parameters that exist once, and refractory times that two clocks must cover."""
    for name in SHARED:
        if len({cell[name] for cell in cells}) > 1:
            raise Refused(f"{name} must be the same for all populations")
    times = sorted({cell["tau_refrac"] for cell in cells})
    clocks, reach = 0, 0.0
    for time in times:
        if time > reach:
            clocks, reach = clocks + 1, time * CLOCK_SPAN
    if clocks > 2:
        raise Refused(f"refractory times {times} us: the chip has two clocks, each covers a factor of {CLOCK_SPAN:g}")


def weight_of(value: float, receptor: str) -> int:
    """Whole weight of a connection, half to even; its sign belongs to the receptor type."""
    weight = round(value)
    if (weight < 0 and receptor != "inhibitory") or (weight > 0 and receptor != "excitatory"):
        raise ConnectionError(
            "Weights must be positive for conductance-based and/or excitatory synapses and negative for inhibitory "
            "synapses"
        )
    return weight


def permutation(values: Sequence[Any], neurons: int) -> list[int]:
    """Circuits of the neurons in the order of their populations."""
    found = [int(value) for value in values]
    if len(set(found)) < len(found) or any(not 0 <= value < CIRCUITS for value in found):
        raise Refused(f"neuronPermutation: distinct circuits of 0 to {CIRCUITS - 1} are needed")
    rest = [circuit for circuit in range(CIRCUITS) if circuit not in set(found)]
    if neurons > CIRCUITS:
        raise Refused(f"Cannot register ID: {neurons} neurons, and the chip has {CIRCUITS} circuits")
    return (found + rest)[:neurons]


def rows_fit(rows: Mapping[tuple[int, int | None], int]) -> None:
    """Synapse rows, by hemisphere and by PADI bus of their source (None: from outside, any bus).

    Raises:
        Refused: a hemisphere or a bus has too few.
    """
    for hemisphere in (0, 1):
        inside = [rows.get((hemisphere, bus), 0) for bus in range(BUSES)]
        outside = rows.get((hemisphere, None), 0)
        for bus, count in enumerate(inside):
            if count > ROWS_PER_BUS:
                raise Refused(
                    f"{count} synapse rows on PADI bus {bus} of hemisphere {hemisphere}, which has {ROWS_PER_BUS}: "
                    "sources of 32 columns share a bus"
                )
        if sum(inside) + outside > ROWS:
            raise Refused(f"{sum(inside) + outside} synapse rows in hemisphere {hemisphere}, which has {ROWS}")
