"""Voltages, time constants, clocks and times of a chip network against what the chip offers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from lightning_neuro.errors import Violation
from lightning_neuro.graph.hardware_graph import ReadoutKind
from lightning_neuro.targets.brainscales.analog import (
    RANGES,
    REFRACTORY_CLOCKS,
    REFRACTORY_CYCLES,
    AnalogParameters,
    CalibrationTarget,
    calibration_targets,
)
from lightning_neuro.targets.brainscales.chip_network import ChipNetwork
from lightning_neuro.targets.brainscales.chip_resources import CADC_PERIOD_US, CYCLE_US, RUNTIME_CYCLES

REST_TAUS = 7.0
"""Fewest time constants between samples: the least that published fast evaluations take."""

Found = Iterator[Violation]


def leak_potential(network: ChipNetwork, analog: AnalogParameters) -> Found:
    """The leak potential is inside its range."""
    yield from _one_for_all("leak", analog.leak, "target.leak=80")


def threshold_voltages(network: ChipNetwork, analog: AnalogParameters) -> Found:
    """The threshold voltage of every layer is inside its range and above the leak."""
    for target in calibration_targets(network, analog):
        if target.spiking and not (RANGES["threshold"].holds(target.threshold) and target.threshold > target.leak):
            yield _violation(
                target.layer,
                "threshold",
                f"{target.threshold:.4g} CADC LSB",
                f"{RANGES['threshold']}, above the leak of {target.leak:g}",
                "target.threshold=150",
            )


def reset_potentials(network: ChipNetwork, analog: AnalogParameters) -> Found:
    """The reset voltage of every layer is inside its range."""
    for target in calibration_targets(network, analog):
        if target.spiking and not RANGES["reset"].holds(target.reset):
            layer = network.layer(target.layer)
            yield _violation(
                target.layer,
                "reset potential",
                f"{target.reset:.4g} CADC LSB ({layer.v_reset:g} of a threshold of {layer.threshold:g})",
                str(RANGES["reset"]),
                "target.leak=110 target.threshold=180   (or a reset nearer to rest)",
            )


def membrane_time_constants(network: ChipNetwork, analog: AnalogParameters) -> Found:
    """The membrane time constant is inside its range after scaling of time."""
    yield from _times(network, analog, "tau_mem_us", "tau_mem")


def synaptic_time_constants(network: ChipNetwork, analog: AnalogParameters) -> Found:
    """The synaptic time constant is inside its range after scaling of time."""
    yield from _times(network, analog, "tau_syn_us", "tau_syn")


def refractory_times(network: ChipNetwork, analog: AnalogParameters) -> Found:
    """The refractory time is inside its range; where neurons spike once it is as long as a sample."""
    for target in calibration_targets(network, analog):
        value, allowed = target.refractory_us, RANGES["refractory_us"]
        if target.spiking and not allowed.holds(value):
            bound = allowed.high if value > allowed.high else allowed.low
            once = " (a sample: one spike per neuron)" if value >= network.sample_us else ""
            remedy = f"target.speedup={_rounded(network.speedup * value / bound, value > bound)}"
            yield _violation(target.layer, "refractory time", f"{value:.4g} us{once}", str(allowed), remedy)


def refractory_clocks(network: ChipNetwork, analog: AnalogParameters) -> Found:
    """Refractory counters of a chip share two clock scales, each good for a factor of 8.5."""
    factor = REFRACTORY_CYCLES.high / REFRACTORY_CYCLES.low
    values = sorted({t.refractory_us for t in calibration_targets(network, analog) if t.spiking})
    scales: list[float] = []
    for value in values:
        if not scales or value > factor * scales[-1]:
            scales.append(value)
    if len(scales) > REFRACTORY_CLOCKS:
        yield _violation(
            "network",
            "refractory clocks",
            f"{len(scales)} scales for {', '.join(f'{value:.3g}' for value in values)} us",
            f"{REFRACTORY_CLOCKS} scales of a factor {factor:.1f} each",
            "target.refractory_us=1",
        )


def transconductance(network: ChipNetwork, analog: AnalogParameters) -> Found:
    """i_synin_gm is inside its range."""
    yield from _one_for_all("i_synin_gm", analog.i_synin_gm, "target.i_synin_gm=550")


def synapse_dac_bias(network: ChipNetwork, analog: AnalogParameters) -> Found:
    """synapse_dac_bias is inside its range."""
    yield from _one_for_all("synapse_dac_bias", analog.synapse_dac_bias, "target.synapse_dac_bias=1000")


def membrane_capacitance(network: ChipNetwork, analog: AnalogParameters) -> Found:
    """The capacitance is inside its range."""
    yield from _one_for_all("membrane_capacitance", analog.membrane_capacitance, "target.membrane_capacitance=63")


def holdoff(network: ChipNetwork, analog: AnalogParameters) -> Found:
    """The hold-off time is inside its range."""
    yield from _one_for_all("holdoff_us", analog.holdoff_us, "target.holdoff_us=0")


def gap(network: ChipNetwork, analog: AnalogParameters) -> Found:
    """Between samples every neuron wakes up and potentials decay."""
    longest = max(max(layer.tau_mem_us, layer.tau_syn_us) for layer in network.layers)
    spiking = [layer.refractory_us for layer in network.layers if layer.spiking]
    needed = max(REST_TAUS * longest, *spiking, 0.0)
    if network.gap_us < needed * (1 - 1e-9):
        yield _violation(
            "network",
            "silence between samples",
            f"{needed:.4g} us (refractory time, {REST_TAUS:g} time constants)",
            f"{network.gap_us:.4g} us",
            "target.gap_us=null",
        )


def runtime(network: ChipNetwork, analog: AnalogParameters) -> Found:
    """A sample with the silence behind it fits into a run."""
    needed, available = network.sample_us + network.gap_us, RUNTIME_CYCLES * CYCLE_US
    if needed > available:
        remedy = f"target.speedup={_rounded(network.speedup * needed / available, True)}"
        yield _violation("network", "runtime", f"{needed * 1e-6:.4g} s", f"{available * 1e-6:.4g} s", remedy)


def converter(network: ChipNetwork, analog: AnalogParameters) -> Found:
    """A membrane that is read out is sampled at least once before the sample ends."""
    read = network.readout in (ReadoutKind.MEMBRANE_MAX, ReadoutKind.MEMBRANE_LAST)
    if read and network.sample_us < CADC_PERIOD_US:
        remedy = f"target.speedup={_rounded(network.speedup * network.sample_us / CADC_PERIOD_US, False)}"
        yield _violation(
            network.output,
            "membrane samples",
            f"one within {network.sample_us:.3g} us",
            f"one every {CADC_PERIOD_US:g} us",
            remedy,
        )


ANALOG_RULES: tuple[Callable[[ChipNetwork, AnalogParameters], Found], ...] = (
    leak_potential,
    threshold_voltages,
    reset_potentials,
    membrane_time_constants,
    synaptic_time_constants,
    refractory_times,
    refractory_clocks,
    transconductance,
    synapse_dac_bias,
    membrane_capacitance,
    holdoff,
    gap,
    runtime,
    converter,
)


def shared_parameters(targets: Sequence[CalibrationTarget]) -> Found:
    """i_synin_gm and synapse_dac_bias exist once per chip: targets that were edited must agree.

    Args:
        targets: of all layers, in order.
    """
    for name in ("i_synin_gm", "synapse_dac_bias"):
        values = sorted({float(getattr(target, name)) for target in targets})
        if len(values) > 1:
            yield _violation(
                "network",
                name,
                f"{', '.join(f'{value:g}' for value in values)}",
                "one value per chip",
                f"target.{name}={values[-1]:g}",
            )


def _one_for_all(name: str, value: float, remedy: str) -> Found:
    if not RANGES[name].holds(value):
        yield _violation("target", name, f"{value:g}", str(RANGES[name]), remedy)


def _times(network: ChipNetwork, analog: AnalogParameters, field: str, what: str) -> Found:
    allowed = RANGES[field]
    for target in calibration_targets(network, analog):
        value = float(getattr(target, field))
        if not allowed.holds(value):
            bound = allowed.high if value > allowed.high else allowed.low
            remedy = f"target.speedup={_rounded(network.speedup * value / bound, value > bound)}"
            yield _violation(target.layer, what, f"{value:.4g} us of hardware time", str(allowed), remedy)


def _rounded(value: float, up: bool) -> str:
    """Three digits, not beyond the side that helps.

    >>> _rounded(3200.4, True), _rounded(3209.0, False)
    ('3210', '3200')
    """
    size = 10.0 ** max(0, len(str(int(value))) - 3)
    steps = value / size
    whole = -(-steps // 1) if up else steps // 1
    return f"{whole * size:.0f}"


def _violation(where: str, what: str, needed: str, available: str, remedy: str) -> Violation:
    return Violation(where=where, what=what, needed=needed, available=available, remedy=remedy)
