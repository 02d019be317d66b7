"""Every constraint with its message, and the nearest network that passes."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from lightning_neuro.errors import ConstraintError, Violation
from lightning_neuro.graph.hardware_graph import (
    Convolution,
    Dense,
    HardwareGraph,
    LateBias,
    Leak,
    Pooled,
    Projection,
    ReadoutKind,
    Reset,
    ResetKind,
    Values,
    Window,
)
from lightning_neuro.graph.lower import lower
from lightning_neuro.targets.brainscales.analog import PUBLISHED, AnalogParameters, calibration_targets
from lightning_neuro.targets.brainscales.analog_rules import ANALOG_RULES, shared_parameters
from lightning_neuro.targets.brainscales.chip_network import ChipNetwork, ChipProjection, SpikeEvents
from lightning_neuro.targets.brainscales.constraints import STRUCTURE_RULES, Limits, check_graph
from lightning_neuro.targets.brainscales.input_rules import check_inputs
from lightning_neuro.targets.brainscales.mapping_cells import MappingOptions
from lightning_neuro.targets.brainscales.resource_rules import RESOURCE_RULES
from tests.graph.first_spike_networks import network
from tests.graph.networks import chain
from tests.graph.rate_networks import rate_chain
from tests.targets.brainscales.chip_networks import chip_chain, chip_layer

OPTIONS = MappingOptions(
    speedup=1000.0,
    delta_tau_syn_us=None,
    refractory_us=None,
    sample_us=None,
    gap_us=None,
    analog=PUBLISHED,
)
LIMITS = Limits(mapping=OPTIONS, runs=4)
BASE = chain([6, 5, 4], beta=0.9)
CUBA = chain([6, 5, 4], beta=0.9, alpha=0.8)
SPIKE_TIMES = network([4, 5, 3])
FAST = dataclasses.replace(LIMITS, mapping=dataclasses.replace(OPTIONS, speedup=1250.0))


def neurons(graph: HardwareGraph, layer: int, **changes: Any) -> HardwareGraph:
    """The graph with other constants in one layer."""
    populations = list(graph.populations)
    chosen = populations[layer]
    populations[layer] = dataclasses.replace(chosen, neuron=dataclasses.replace(chosen.neuron, **changes))
    return dataclasses.replace(graph, populations=tuple(populations))


def population(graph: HardwareGraph, layer: int, **changes: Any) -> HardwareGraph:
    populations = list(graph.populations)
    populations[layer] = dataclasses.replace(populations[layer], **changes)
    return dataclasses.replace(graph, populations=tuple(populations))


def synapses(graph: HardwareGraph, number: int, **changes: Any) -> HardwareGraph:
    projections = list(graph.projections)
    projections[number] = dataclasses.replace(projections[number], **changes)
    return dataclasses.replace(graph, projections=tuple(projections))


def reset(kind: ResetKind, delay: int) -> dict[str, Any]:
    return {"reset": Reset(kind=kind, delay=delay)}


def beta(*values: float) -> dict[str, Any]:
    return {"leak_mem": Leak(beta=np.array(values))}


def alpha(*values: float) -> dict[str, Any]:
    return {"leak_syn": Leak(beta=np.array(values))}


def ones(*values: float) -> Values:
    return Values(real=np.array(values))


def looped(graph: HardwareGraph) -> HardwareGraph:
    back = Projection(pre="layer2", post="layer1", connection=Dense(weight=Values(real=np.ones((5, 4)))), delay=1)
    return dataclasses.replace(graph, projections=(*graph.projections, back))


WINDOW = Window(input_shape=(1, 6), kernel=(2,), stride=(1,), padding=((0, 0),), dilation=(1,))
CONVOLUTION = Convolution(weight=Values(real=np.ones((1, 1, 2))), window=WINDOW, groups=1)
POOLED = Pooled(pool=WINDOW, then=Dense(weight=Values(real=np.ones((5, 5)))))
READ_OUT = {"readout": ReadoutKind.MEMBRANE_MAX}
SILENT_END = dataclasses.replace(neurons(BASE, 1, **reset(ResetKind.NONE, 0)), **READ_OUT)
LATE = np.full((5, 4), 2e-3)

# what is refused, words of its row in the table (where, what, needed, available, remedy), and the nearest that passes
STRUCTURE: dict[str, tuple[HardwareGraph, tuple[str, ...], HardwareGraph, Limits]] = {
    "no layer": (
        dataclasses.replace(BASE, populations=(), projections=()),
        ("network", "layers", "1 or more", "model.layers="),
        BASE,
        LIMITS,
    ),
    "graded input": (
        dataclasses.replace(BASE, coding={"kind": "direct"}),
        ("input", "real values (direct coding)", "spikes", "data.coding.kind=rate"),
        dataclasses.replace(BASE, coding={"kind": "rate"}),
        LIMITS,
    ),
    "convolution": (
        synapses(BASE, 0, connection=CONVOLUTION),
        ("input -> layer1", "connection", "convolution", "fully connected", "without convolutions"),
        BASE,
        LIMITS,
    ),
    "pooling": (
        synapses(BASE, 0, connection=POOLED),
        ("input -> layer1", "connection", "pooled", "fully connected"),
        BASE,
        LIMITS,
    ),
    "recurrence": (
        looped(BASE),
        ("layer2 -> layer1 (delay 1)", "loop", "recurrent connection", "feed-forward", "leave the recurrent"),
        BASE,
        LIMITS,
    ),
    "delay in steps": (
        synapses(BASE, 1, delay=2),
        ("layer1 -> layer2 (delay 2)", "synaptic delay", "2 steps", "none", "model.delays=none"),
        BASE,
        LIMITS,
    ),
    "delay in seconds": (
        synapses(SPIKE_TIMES, 0, delays_s=LATE),
        ("input -> layer0", "synaptic delay", "up to 2 ms", "none", "model.delays=none"),
        synapses(SPIKE_TIMES, 0, delays_s=0 * LATE),
        FAST,
    ),
    "subtractive reset": (
        neurons(BASE, 0, **reset(ResetKind.SUBTRACT, 0)),
        ("layer1", "reset", "subtract", "to a value", "model.reset=zero"),
        neurons(BASE, 0, **reset(ResetKind.ZERO, 1)),
        LIMITS,
    ),
    "reset two steps late": (
        neurons(BASE, 0, **reset(ResetKind.ZERO, 2)),
        ("layer1", "reset", "zero, delay 2", "model.reset_delay=0"),
        neurons(BASE, 0, **reset(ResetKind.ZERO, 1)),
        LIMITS,
    ),
    "clamp at once": (
        neurons(BASE, 0, **reset(ResetKind.CLAMP, 0)),
        ("layer1", "reset", "clamp, delay 0", "clamp with delay 1"),
        neurons(BASE, 0, **reset(ResetKind.CLAMP, 1)),
        LIMITS,
    ),
    "bias": (
        population(BASE, 0, bias=ones(0, 0, 0, 0, -0.25)),
        ("layer1", "bias", "up to 0.25", "spikes of input lines", "model.bias=false", "model.bias_times"),
        BASE,
        LIMITS,
    ),
    "late bias": (
        population(BASE, 0, late_biases=(LateBias(values=ones(0, 0, 0, 0, 0.5), onset=3, until=None),)),
        ("layer1", "bias", "up to 0.5"),
        BASE,
        LIMITS,
    ),
    "hidden layer without spikes": (
        neurons(SILENT_END, 0, **reset(ResetKind.NONE, 0)),
        ("layer1", "layer without spikes", "a read-out by membrane", "model.readout=membrane_max"),
        SILENT_END,
        LIMITS,
    ),
    "membrane of neurons that spike": (
        dataclasses.replace(BASE, **READ_OUT),
        ("layer2", "membrane read-out", "neurons that spike", "without threshold", "model.readout=spike_count"),
        SILENT_END,
        LIMITS,
    ),
    "membrane without leak": (
        neurons(BASE, 0, **beta(1.0, 1.0, 1.0, 1.0, 1.0)),
        ("layer1", "membrane decay", "1 to 1 per step", "below 1", "model.beta=0.9"),
        BASE,
        LIMITS,
    ),
    "membrane that forgets at once": (
        neurons(BASE, 0, **beta(0.0, 0.0, 0.0, 0.0, 0.0)),
        ("layer1", "membrane decay", "0 to 0 per step", "above 0"),
        BASE,
        LIMITS,
    ),
    "current without decay": (
        neurons(CUBA, 0, **alpha(1.0, 1.0, 1.0, 1.0, 1.0)),
        ("layer1", "synapse decay", "1 to 1", "below 1", "model.tau_syn=5e-3"),
        CUBA,
        LIMITS,
    ),
    "time constants that differ": (
        neurons(BASE, 0, **beta(0.9, 0.9, 0.9, 0.9, 0.8)),
        ("layer1", "membrane decay", "0.8 to 0.9 in one layer", "one value per layer", "model.learn_beta=false"),
        neurons(BASE, 0, threshold=ones(1.0, 1.0, 1.0, 1.0, 1.1)),
        LIMITS,
    ),
    "currents that differ": (
        neurons(CUBA, 0, **alpha(0.8, 0.8, 0.8, 0.8, 0.7)),
        ("layer1", "synapse decay", "one value per layer", "model.learn_alpha=false"),
        CUBA,
        LIMITS,
    ),
    "reset potentials that differ": (
        neurons(BASE, 0, v_reset=ones(0.0, 0.0, 0.0, 0.0, -0.1)),
        ("layer1", "reset potential", "-0.1 to 0 in one layer", "one value per layer"),
        neurons(BASE, 0, v_reset=ones(-0.1, -0.1, -0.1, -0.1, -0.1)),
        LIMITS,
    ),
    "time constants of first-spike neurons that differ": (
        neurons(SPIKE_TIMES, 0, tau_syn_s=np.array([1, 1, 1, 1, 2]) * 1e-2),
        ("layer0", "tau_syn", "one value per layer", "model.tau_syn"),
        SPIKE_TIMES,
        FAST,
    ),
    "threshold at rest": (
        neurons(BASE, 0, threshold=ones(1.0, 1.0, 1.0, 1.0, 0.0)),
        ("layer1", "threshold above rest", "0", "above 0, the leak potential", "model.threshold=1.0"),
        BASE,
        LIMITS,
    ),
    "no length of a sample": (
        dataclasses.replace(BASE, steps=None),
        ("network", "length of a sample", "none in the file", "target.sample_us=100"),
        BASE,
        LIMITS,
    ),
    "steps shorter than a cycle": (
        dataclasses.replace(BASE, dt_s=4e-6),
        ("network", "step", "4 ns", "8 ns or more", "target.speedup=500"),
        dataclasses.replace(BASE, dt_s=1e-3),
        LIMITS,
    ),
}


@pytest.mark.parametrize("name", STRUCTURE)
def test_networks_that_are_refused_and_what_to_do(name: str) -> None:
    refused, words, allowed, limits = STRUCTURE[name]
    found = check_graph(refused, limits)
    assert len(found) == 1, found
    read(found, words)
    assert check_graph(allowed, limits) == ()


def read(found: tuple[Violation, ...], words: tuple[str, ...]) -> None:
    """The violation's row, and the message as a person sees it, have the words."""
    row = " ".join(dataclasses.astuple(found[0]))
    assert found[0].where == words[0]
    assert all(word in row for word in words), row
    assert all(word in str(ConstraintError("brainscales", found)) for word in words)


# -- the operating point and times -------------------------------------------------------------------------------

CHIP = chip_chain([6, 5, 4])


def analog(**changes: float) -> AnalogParameters:
    return dataclasses.replace(PUBLISHED, **changes)


def layers(**changes: Any) -> ChipNetwork:
    """The chip network with other parameters in its first layer."""
    first = dataclasses.replace(CHIP.layers[0], **changes)
    return dataclasses.replace(CHIP, layers=(first, *CHIP.layers[1:]))


ANALOG: dict[str, tuple[ChipNetwork, AnalogParameters, tuple[str, ...]]] = {
    "leak": (CHIP, analog(leak=49, threshold=119), ("target", "leak", "49", "50 to 160 CADC LSB", "target.leak=80")),
    "threshold": (
        CHIP,
        analog(leak=155, threshold=225),
        ("layer1", "threshold", "225 CADC LSB", "50 to 220 CADC LSB", "above the leak of 155", "target.threshold=150"),
    ),
    "threshold below the leak": (CHIP, analog(threshold=70), ("layer1", "threshold", "70", "above the leak of 80")),
    "reset": (
        layers(v_reset=-0.5),
        PUBLISHED,
        ("layer1", "reset potential", "45 CADC LSB", "-0.5 of a threshold of 1", "50 to 160", "target.leak=110"),
    ),
    "long membrane": (
        layers(tau_mem_us=61.0),
        dataclasses.replace(PUBLISHED),
        ("layer1", "tau_mem", "61 us of hardware time", "0.5 to 60 us", "target.speedup=1020"),
    ),
    "short membrane": (
        layers(tau_mem_us=0.4),
        PUBLISHED,
        ("layer1", "tau_mem", "0.4 us", "0.5 to 60 us", "target.speedup=800"),
    ),
    "long synapse": (
        layers(tau_syn_us=31.0),
        PUBLISHED,
        ("layer1", "tau_syn", "31 us", "0.3 to 30 us", "target.speedup=1040"),
    ),
    "short synapse": (
        layers(tau_syn_us=0.15),
        PUBLISHED,
        ("layer1", "tau_syn", "0.15 us", "0.3 to 30 us", "target.speedup=500"),
    ),
    "transconductance": (
        CHIP,
        analog(i_synin_gm=801),
        ("target", "i_synin_gm", "801", "30 to 800", "target.i_synin_gm=550"),
    ),
    "synapse bias": (
        CHIP,
        analog(synapse_dac_bias=1023),
        ("target", "synapse_dac_bias", "1023", "30 to 1022", "target.synapse_dac_bias=1000"),
    ),
    "capacitance": (
        CHIP,
        analog(membrane_capacitance=64),
        ("target", "membrane_capacitance", "64", "0 to 63", "target.membrane_capacitance=63"),
    ),
    "long refractory time": (
        layers(refractory_us=33.0),
        PUBLISHED,
        ("layer1", "refractory time", "33 us (a sample: one spike per neuron)", "0.04 to 32 us", "target.speedup=1040"),
    ),
    "short refractory time": (
        layers(refractory_us=0.02),
        PUBLISHED,
        ("layer1", "refractory time", "0.02 us", "0.04 to 32 us", "target.speedup=500"),
    ),
    "three refractory times": (
        dataclasses.replace(
            CHIP,
            layers=(*layers(refractory_us=0.1).layers, chip_layer("layer3", 2, refractory_us=1.0)),
            projections=(*CHIP.projections, ChipProjection(pre="layer2", post="layer3", weights=np.ones((2, 4)))),
        ),
        PUBLISHED,
        ("network", "refractory clocks", "3 scales for 0.1, 1, 24 us", "2 scales of a factor 8.5 each"),
    ),
    "hold-off": (CHIP, analog(holdoff_us=4.5), ("target", "holdoff_us", "4.5", "0 to 4 us", "target.holdoff_us=0")),
    "samples too close for the refractory time": (
        dataclasses.replace(layers(refractory_us=30.0), gap_us=29.0),
        PUBLISHED,
        ("network", "silence between samples", "42 us (refractory time, 7 time constants)", "29 us", "target.gap_us"),
    ),
    "samples shorter than the converter": (
        dataclasses.replace(CHIP, sample_us=1.6, readout=ReadoutKind.MEMBRANE_LAST),
        PUBLISHED,
        ("layer2", "membrane samples", "one within 1.6 us", "one every 2 us", "target.speedup=800"),
    ),
    "samples longer than a run": (
        dataclasses.replace(CHIP, sample_us=2e7),
        PUBLISHED,
        ("network", "runtime", "20 s", "17.18 s", "target.speedup=1170"),
    ),
}


def analog_violations(chip: ChipNetwork, point: AnalogParameters) -> tuple[Violation, ...]:
    return tuple(violation for rule in ANALOG_RULES for violation in rule(chip, point))


@pytest.mark.parametrize("name", ANALOG)
def test_what_the_neurons_cannot_do_is_refused(name: str) -> None:
    chip, point, words = ANALOG[name]
    found = tuple(v for v in analog_violations(chip, point) if v.where == words[0] and v.what == words[1])
    assert len(found) == 1, analog_violations(chip, point)
    read(found, words)
    assert analog_violations(CHIP, PUBLISHED) == ()


def test_a_layer_without_threshold_has_none_to_refuse() -> None:
    silent = layers(spiking=False, refractory_us=0.0)
    assert analog_violations(silent, PUBLISHED) == ()


def test_edited_targets_must_agree_on_what_a_chip_has_once() -> None:
    targets = list(calibration_targets(CHIP, PUBLISHED))
    assert tuple(shared_parameters(targets)) == ()
    targets[0] = dataclasses.replace(targets[0], i_synin_gm=500.0, synapse_dac_bias=600.0)
    gm, bias = shared_parameters(targets)
    assert (gm.what, gm.needed, gm.available) == ("i_synin_gm", "500, 550", "one value per chip")
    assert (bias.what, bias.needed) == ("synapse_dac_bias", "600, 1000")


def test_the_remedy_of_a_long_sample_helps() -> None:
    slow = network([4, 5, 3])  # samples of 40 ms
    found = check_graph(slow, LIMITS)
    assert {v.remedy for v in found} == {"target.speedup=1250"}
    assert check_graph(slow, FAST) == ()


# -- resources ---------------------------------------------------------------------------------------------------

RESOURCES: dict[str, tuple[ChipNetwork, int, tuple[str, ...]]] = {
    "circuits": (
        chip_chain([784, 128, 10]),
        1,
        ("network", "neuron circuits", "906 = 128 x 7 + 10 x 1", "512", "target.runs=3"),
    ),
    "circuits of a hemisphere": (
        chip_chain([100, 257, 3]),
        1,
        ("layer1", "circuits per hemisphere", "257 = 257 neurons x 1 columns", "256", "target.runs=3"),
    ),
    "fan-in": (
        chip_chain([150, 3], largest=63 * 200),
        4,
        (
            "layer1",
            "fan-in after merging",
            "150 sources, repeated up to 199 times",
            "16384: 128 circuits of 128",
            "weight_max",
        ),
    ),
    "labels of input lines": (
        chip_chain([16385, 2]),
        40,
        ("input", "labels of input lines", "16385", "16384, 14 bits", "mnist16_latency"),
    ),
    "runs": (
        chip_chain([784, 256, 10]),
        4,
        ("network", "runs of the chip", "5, for 784 signed sources of layer1, 256 ", "4, each 512", "target.runs=5"),
    ),
    "rows": (
        chip_chain([128, 200, 129]),
        1,
        ("network", "runs of the chip", "2, for 128 signed sources of layer1, 200 ", "2 x 128 signed", "target.runs=2"),
    ),
}


@pytest.mark.parametrize("name", RESOURCES)
def test_what_the_chip_has_no_room_for_is_refused(name: str) -> None:
    chip, runs, words = RESOURCES[name]
    found = tuple(violation for rule in RESOURCE_RULES for violation in rule(chip, runs))
    chosen = tuple(v for v in found if v.what == words[1])
    assert len(chosen) == 1, found
    read(chosen, words)


@pytest.mark.parametrize(("sizes", "runs"), [([784, 128, 10], 3), ([256, 246, 10], 1), ([25, 120, 3], 1)])
def test_what_fits_passes(sizes: list[int], runs: int) -> None:
    chip = chip_chain(sizes)
    assert [v for rule in RESOURCE_RULES for v in rule(chip, runs)] == []


# -- inputs ------------------------------------------------------------------------------------------------------


def events(*times_us: float, lines: int = 6) -> SpikeEvents:
    count = len(times_us)
    return SpikeEvents(
        sample=np.zeros(count), neuron=np.arange(count) % lines, time_us=np.array(times_us), samples=1, size=lines
    )


def test_inputs_inside_the_sample_pass() -> None:
    assert check_inputs(CHIP, events(0.0, 12.0, 24.0)) == ()
    assert check_inputs(CHIP, events()) == ()


def test_spikes_before_the_sample_are_refused() -> None:
    read(check_inputs(CHIP, events(-0.1, 3.0)), ("input", "spike times", "-0.1 to 3 us", "0 us or more"))


def test_spikes_after_the_sample_are_refused() -> None:
    read(check_inputs(CHIP, events(3.0, 25.5)), ("input", "spike times", "up to 25.5 us", "24 us", "sample_us=27"))


def test_another_number_of_lines_is_refused() -> None:
    read(check_inputs(CHIP, events(3.0, lines=5)), ("input", "input lines", "5", "6"))


def test_more_events_than_cycles_are_refused() -> None:
    many = events(*np.linspace(0.0, 24.0, 3001))
    read(check_inputs(CHIP, many), ("input", "event rate", "125, one per cycle", "target.speedup="))
    assert check_inputs(CHIP, events(*np.linspace(0.0, 24.0, 2999))) == ()


# -- together ----------------------------------------------------------------------------------------------------


def test_all_violations_are_collected() -> None:
    graph = dataclasses.replace(neurons(BASE, 0, **reset(ResetKind.SUBTRACT, 0)), coding={"kind": "direct"}, steps=None)
    found = check_graph(neurons(graph, 1, **beta(1.0, 0.9, 0.9, 0.9)), LIMITS)
    whats = {"reset", "input", "membrane decay", "length of a sample"}
    assert {v.what for v in found} == whats


def test_there_are_more_than_twenty_rules_and_each_says_what_it_is() -> None:
    rules = (*STRUCTURE_RULES, *ANALOG_RULES, *RESOURCE_RULES)
    assert len(rules) >= 30 and len({rule.__name__ for rule in rules}) == len(rules)
    assert all(rule.__doc__ for rule in rules)


def test_a_converted_network_is_refused_in_one_sentence_that_says_what_would_fit() -> None:
    chain = rate_chain([6, 5, 3], schedule="synchronous", steps=8)
    (found,) = check_graph(lower(chain.graph, chain.metadata), LIMITS)
    assert "without leak" in found.what and "60 us" in found.available
    assert "model=spike_time_brainscales" in found.remedy
