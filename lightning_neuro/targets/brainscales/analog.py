"""The operating point of the analogue neurons, the ranges of their parameters as data, and what a layer's target is.

Ranges are those that calix checks (github.com/electronicvisions/calix, ``src/py/calix/spiking/neuron.py`` and
``constants.py``); voltages are in LSB of the column converter (CADC: 8 bits, 4.7 mV each). How many LSB of weight move
the membrane by a threshold depends on the synaptic transconductance, the bias of the synapse DACs, the capacitance and
the distance from leak to threshold. So it belongs to a calibration and is measured on the chip; published values are
78 LSB per threshold at a distance of 70 LSB, i_synin_gm 550, synapse_dac_bias 800 to 1000 (github.com/JulianGoeltz/
fastAndDeep), and 58 to 66 with i_synin_gm 500, synapse_dac_bias 1000 (jaxsnn, demos of hxtorch).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from lightning_neuro.targets.brainscales.chip_network import ChipLayer, ChipNetwork


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Values that a parameter may take.

    Args:
        low, high: both allowed.
        unit: of both, "" for a plain number.
    """

    low: float
    high: float
    unit: str

    def holds(self, value: float) -> bool:
        """Whether a value is inside; ends count, give or take rounding."""
        slack = 1e-9 * max(abs(self.low), abs(self.high))
        return self.low - slack <= value <= self.high + slack

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g} {self.unit}".rstrip()


RANGES: Mapping[str, Range] = {
    "leak": Range(low=50, high=160, unit="CADC LSB"),
    "reset": Range(low=50, high=160, unit="CADC LSB"),
    "threshold": Range(low=50, high=220, unit="CADC LSB"),
    "tau_mem_us": Range(low=0.5, high=60, unit="us"),
    "tau_syn_us": Range(low=0.3, high=30, unit="us"),
    "i_synin_gm": Range(low=30, high=800, unit=""),
    "synapse_dac_bias": Range(low=30, high=1022, unit=""),
    "membrane_capacitance": Range(low=0, high=63, unit=""),
    "refractory_us": Range(low=0.04, high=32, unit="us"),
    "holdoff_us": Range(low=0, high=4, unit="us"),
}
RELIABLE_CADC = Range(low=30, high=210, unit="CADC LSB")
"""Where the converter is linear enough to calibrate against."""
REFRACTORY_CYCLES = Range(low=30, high=255, unit="cycles")
"""Of the refractory counter; fewer are too coarse."""
REFRACTORY_CLOCKS = 2
"""Clock scales of the refractory counters, shared by the whole chip."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalogParameters:
    """The operating point of a chip: parameters that all its neurons share.

    Args:
        leak: CADC LSB; a reset to rest goes there too.
        threshold: CADC LSB, of a layer whose weights were rounded for this point.
        i_synin_gm: transconductance of the synaptic inputs, CapMem LSB; one value per chip.
        synapse_dac_bias: of the synapse DACs, CapMem LSB; one value per chip.
        membrane_capacitance: LSB; 63 is 2.2 pF.
        holdoff_us: silence after the refractory time.
        weight_scale: LSB of weight that let the synaptic current jump by ``threshold - leak``, measured on a chip.
    """

    leak: float
    threshold: float
    i_synin_gm: float
    synapse_dac_bias: float
    membrane_capacitance: float
    holdoff_us: float
    weight_scale: float

    @property
    def distance(self) -> float:
        """From leak to threshold, CADC LSB."""
        return self.threshold - self.leak


PUBLISHED = AnalogParameters(
    leak=80.0,
    threshold=150.0,
    i_synin_gm=550.0,
    synapse_dac_bias=1000.0,
    membrane_capacitance=63.0,
    holdoff_us=0.0,
    weight_scale=78.0,
)
"""The point that 78 LSB per threshold were published for; the scale of another chip or calibration differs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationTarget:
    """What a layer asks of the calibration, in the units of calix.

    Args:
        layer: its name.
        size: neurons.
        leak, reset, threshold: CADC LSB; without a meaning where the layer never spikes (threshold).
        tau_mem_us, tau_syn_us, refractory_us, holdoff_us: hardware microseconds.
        i_synin_gm, synapse_dac_bias, membrane_capacitance: LSB.
        spiking: whether the threshold comparator is on.
    """

    layer: str
    size: int
    leak: float
    reset: float
    threshold: float
    tau_mem_us: float
    tau_syn_us: float
    refractory_us: float
    holdoff_us: float
    i_synin_gm: float
    synapse_dac_bias: float
    membrane_capacitance: float
    spiking: bool


def cadc_per_unit(layer: ChipLayer, analog: AnalogParameters) -> float:
    """CADC LSB that one model unit of a layer's membrane is.

    ``weight_scale`` LSB of weight are one model unit, and ``analog.weight_scale`` LSB are ``analog.distance``.
    """
    return layer.weight_scale * analog.distance / analog.weight_scale


def peak_per_jump(tau_mem_us: float, tau_syn_us: float) -> float:
    """Height of a postsynaptic potential whose current jumps by 1; 1 / e for equal time constants.

    Args:
        tau_mem_us, tau_syn_us: time constants.

    >>> round(peak_per_jump(6.0, 6.0), 4), peak_per_jump(12.0, 6.0)
    (0.3679, 0.25)
    """
    if math.isclose(tau_mem_us, tau_syn_us, rel_tol=1e-9):
        return math.exp(-1.0)
    return (tau_syn_us / tau_mem_us) ** (tau_mem_us / (tau_mem_us - tau_syn_us))


def calibration_target(layer: ChipLayer, analog: AnalogParameters) -> CalibrationTarget:
    """Targets of one layer: its threshold and reset in model units become voltages around the leak.

    Args:
        layer: of a chip network.
        analog: operating point.
    """
    unit = cadc_per_unit(layer, analog)
    return CalibrationTarget(
        layer=layer.name,
        size=layer.size,
        leak=analog.leak,
        reset=analog.leak + (layer.v_reset - layer.v_leak) * unit,
        threshold=analog.leak + (layer.threshold - layer.v_leak) * unit if layer.spiking else analog.threshold,
        tau_mem_us=layer.tau_mem_us,
        tau_syn_us=layer.tau_syn_us,
        refractory_us=layer.refractory_us,
        holdoff_us=analog.holdoff_us,
        i_synin_gm=analog.i_synin_gm,
        synapse_dac_bias=analog.synapse_dac_bias,
        membrane_capacitance=analog.membrane_capacitance,
        spiking=layer.spiking,
    )


def calibration_targets(network: ChipNetwork, analog: AnalogParameters) -> tuple[CalibrationTarget, ...]:
    """Targets of all layers, in order."""
    return tuple(calibration_target(layer, analog) for layer in network.layers)
