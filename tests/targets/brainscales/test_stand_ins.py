"""The stand-ins refuse what the real interfaces refuse; otherwise their acceptance would prove nothing."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from tests.targets.brainscales.artefacts import stand_ins


@pytest.fixture
def pynn() -> Iterator[Any]:
    with stand_ins():
        module = importlib.import_module("pynn_brainscales.brainscales2")
        module.setup()
        yield module
        module.end()


@pytest.fixture
def snn() -> Iterator[Any]:
    with stand_ins():
        importlib.import_module("hxtorch").init_hardware()
        yield importlib.import_module("hxtorch.spiking")


def neurons(pynn: Any, size: int = 2, **parameters: Any) -> Any:
    made = pynn.Population(size, pynn.cells.CalibHXNeuronCuba(tau_m=6, tau_syn_E=6, tau_syn_I=6, **parameters))
    made.record(["spikes"])
    return made


def sources(pynn: Any, times: list[list[float]]) -> Any:
    return pynn.Population(len(times), pynn.cells.SpikeSourceArray(spike_times=times))


def connect(pynn: Any, pre: Any, post: Any, rows: list[tuple], receptor: str = "excitatory") -> Any:
    connector = pynn.FromListConnector(rows, column_names=["weight", "delay"])
    return pynn.Projection(pre, post, connector, synapse_type=pynn.synapses.StaticSynapse(), receptor_type=receptor)


def test_two_strong_inputs_cause_a_spike_at_the_time_of_the_equation(pynn: Any) -> None:
    post = neurons(pynn, v_rest=80, v_reset=80, v_thresh=150, i_synin_gm_E=550, i_synin_gm_I=550,
                   synapse_dac_bias=1000, tau_refrac=20)  # fmt: skip
    pre = sources(pynn, [[0.002], [0.002], [0.002], [0.002]])
    connect(pynn, pre, post, [(k, 0, 60.0, 0.0) for k in range(4)])
    pynn.run(0.05)
    fired, silent = post.get_data("spikes").segments[-1].spiketrains
    t = np.linspace(0, 6, 600_001)
    exact = 2.0 + t[np.argmax(4 * 60 / 78 * t / 6 * np.exp(-t / 6) > 1.0)]
    assert len(fired) == 1 and abs(1000 * fired[0] - exact) <= 0.0045 and len(silent) == 0


def test_input_times_are_cut_off_to_cycles(pynn: Any) -> None:
    post = neurons(pynn, v_thresh=81, v_rest=80, v_reset=80, i_synin_gm_E=550, i_synin_gm_I=550,
                   synapse_dac_bias=1000, tau_refrac=20)  # fmt: skip
    pre = sources(pynn, [[0.002007]])
    connect(pynn, pre, post, [(0, 0, 63.0, 0.0), (0, 1, 63.0, 0.0)])
    pynn.run(0.05)
    late = post.get_data("spikes").segments[-1].spiketrains[0][0]
    pre.set(spike_times=[[0.0020]])
    pynn.run(0.05)
    assert post.get_data("spikes").segments[-1].spiketrains[0][0] == late


PYNN_RULES: dict[str, tuple[Callable[[Any], object], str]] = {
    "delay": (lambda p: connect(p, sources(p, [[]]), neurons(p), [(0, 0, 5.0, 0.1)]), "delay unequal 0"),
    "delay of the synapse type": (lambda p: p.synapses.StaticSynapse(delay=1.0), "delay unequal 0"),
    "negative excitatory weight": (
        lambda p: connect(p, sources(p, [[]]), neurons(p), [(0, 0, -5.0, 0.0)]), "Weights must be positive"),
    "positive inhibitory weight": (
        lambda p: connect(p, sources(p, [[]]), neurons(p), [(0, 0, 5.0, 0.0)], "inhibitory"), "negative for inh"),
    "receptor type": (
        lambda p: connect(p, sources(p, [[]]), neurons(p), [(0, 0, 5.0, 0.0)], "gaba"), "no receptor type"),
    "neuron that is not there": (
        lambda p: connect(p, sources(p, [[]]), neurons(p), [(1, 0, 5.0, 0.0)]), "no neuron 1 -> 0"),
    "synapse on a source": (
        lambda p: connect(p, neurons(p), sources(p, [[]]), [(0, 0, 5.0, 0.0)]), "takes no synapses"),
    "parameter name": (lambda p: neurons(p, tau_mem=6.0), "no parameter"),
    "membrane time constant": (lambda p: p.cells.CalibHXNeuronCuba(tau_m=61), "tau_m = 61"),
    "synaptic time constant": (lambda p: p.cells.CalibHXNeuronCuba(tau_syn_I=0.2), "tau_syn_I = 0.2"),
    "threshold": (lambda p: neurons(p, v_thresh=221), "v_thresh = 221"),
    "leak": (lambda p: neurons(p, v_rest=49), "v_rest = 49"),
    "refractory time": (lambda p: neurons(p, tau_refrac=32.5), "tau_refrac = 32.5"),
    "transconductance": (lambda p: neurons(p, i_synin_gm_E=801), "i_synin_gm_E = 801"),
    "bias of the synapse DACs": (lambda p: neurons(p, synapse_dac_bias=1023), "synapse_dac_bias = 1023"),
    "population size": (lambda p: neurons(p, size=0), "a population of 0"),
    "recording": (lambda p: neurons(p).record(["v"]), "cannot record"),
    "recording of a source": (lambda p: sources(p, [[]]).record("spikes"), "cannot record"),
    "unsorted spike times": (lambda p: sources(p, [[]]).set(spike_times=[[2.0, 1.0]]), "sorted"),
    "negative spike times": (lambda p: sources(p, [[]]).set(spike_times=[[-1.0]]), "not negative"),
    "lines": (lambda p: sources(p, [[]]).set(spike_times=[[], []]), "2 lists of spike times for 1"),
    "second setup": (lambda p: p.setup(), "twice"),
    "calibration file": (lambda p: p.helper.chip_from_file("calibration.json"), "portable binary"),
    "run without neurons": (lambda p: p.run(1.0), "no neurons"),
    "length of a run": (lambda p: (neurons(p), p.run(0.0)), "Runtime"),
    "run of a minute": (lambda p: (neurons(p), p.run(60e3)), "Runtime"),
    "spike after the run": (
        lambda p: (connect(p, sources(p, [[3.0]]), neurons(p), [(0, 0, 5.0, 0.0)]), p.run(1.0)), "after the end"),
    "different transconductances": (
        lambda p: (neurons(p, i_synin_gm_E=400, i_synin_gm_I=400), neurons(p), p.run(1.0)), "same for all"),
    "three scales of refractory times": (
        lambda p: (neurons(p, tau_refrac=0.1), neurons(p, tau_refrac=1.0), neurons(p, tau_refrac=20), p.run(1.0)),
        "two clocks"),
    "513 neurons": (lambda p: (neurons(p, size=513), p.run(1.0)), "Cannot register ID"),
    "257 rows": (
        lambda p: (connect(p, sources(p, [[]] * 257), neurons(p), [(k, 0, 1.0, 0.0) for k in range(257)]), p.run(1.0)),
        "257 synapse rows in hemisphere 0"),
    "rows of large weights": (
        lambda p: (connect(p, sources(p, [[]] * 129), neurons(p), [(k, 0, 64.0, 0.0) for k in range(129)]), p.run(1.0)),
        "258 synapse rows"),
    "rows of a bus": (
        lambda p: (_crowded_bus(p), p.run(1.0)), "PADI bus 0"),
    "silent cell": (lambda p: (p.Population(1, p.cells.HXNeuron()), p.run(1.0)), "never spikes"),
}  # fmt: skip


def _crowded_bus(pynn: Any) -> None:
    """32 neurons whose weights of 127 LSB need three rows each, all on one bus."""
    pre, post = neurons(pynn, size=32), neurons(pynn)
    connect(pynn, pre, post, [(k, 0, 127.0, 0.0) for k in range(32)])


@pytest.mark.parametrize("rule", PYNN_RULES)
def test_pynn_refuses(pynn: Any, rule: str) -> None:
    breaks, words = PYNN_RULES[rule]
    with pytest.raises(ValueError, match=words):
        breaks(pynn)


def test_neurons_go_to_distinct_circuits() -> None:
    with stand_ins():
        module = importlib.import_module("pynn_brainscales.brainscales2")
        module.setup(neuronPermutation=[5, 5])
        neurons(module)
        with pytest.raises(ValueError, match="distinct circuits"):
            module.run(1.0)
        module.end()


# -- hxtorch -----------------------------------------------------------------------------------------------------


def lif(snn: Any, experiment: Any, *, at: list[tuple[int, ...]] | None = None, size: int = 2, **changes: Any) -> Any:
    mixed = snn.MixedHXModelParameter
    parameters = {
        "tau_mem": 6e-6, "tau_syn": 6e-6, "leak": mixed(0.0, 80), "threshold": mixed(1.0, 150),
        "reset": mixed(0.0, 80), "membrane_capacitance": mixed(6e-6, 63), "i_synin_gm": 550,
        "synapse_dac_bias": 1000, "refractory_time": 20e-6,
        "neuron_structure": snn.morphology.SingleCompartmentNeuron(1),
        "placement_constraint": [(k,) for k in range(size)] if at is None else at,
    }  # fmt: skip
    return snn.LIF(size, experiment=experiment, **(parameters | changes))


def network(snn: Any, weights: np.ndarray, **changes: Any) -> Callable[[], Any]:
    torch = importlib.import_module("torch")
    experiment = snn.Experiment(mock=False, dt=1e-7)
    synapse = snn.Synapse(weights.shape[1], weights.shape[0], experiment=experiment, transform=lambda w: w)
    synapse.weight.data = torch.from_numpy(weights.astype(np.float32))
    spikes = torch.zeros(200, 1, weights.shape[1])
    spikes[20] = 1
    handle = lif(snn, experiment, size=len(weights), **changes)(synapse(snn.LIFObservables(spikes=spikes)))

    def run() -> Any:
        snn.run(experiment, 200)
        return handle

    return run


def test_hxtorch_gives_spikes_on_its_grid(snn: Any) -> None:
    handle = network(snn, np.full((2, 4), 60))()
    step, _, neuron = np.nonzero(handle.spikes.numpy())
    t = np.linspace(0, 6, 600_001)
    exact = 2.0 + t[np.argmax(4 * 60 / 78 * t / 6 * np.exp(-t / 6) > 1.0)]
    assert neuron.tolist() == [0, 1] and abs(0.1 * step[0] - exact) <= 0.11


@pytest.mark.parametrize(
    ("breaks", "words"),
    [
        (lambda s: network(s, np.full((2, 4), 64))(), "whole numbers of -63 to 63"),
        (lambda s: network(s, np.full((2, 4), 0.5))(), "whole numbers"),
        (lambda s: network(s, np.full((2, 4), 9), at=[(0,), (0,)]), "two neurons on one circuit"),
        (lambda s: network(s, np.full((2, 4), 9), at=[(0,)]), "1 places for 2 neurons"),
        (lambda s: network(s, np.full((2, 129), 9))(), "rows for 128"),
        (lambda s: network(s, np.full((2, 4), 9), tau_mem=61e-6), "tau_m = 61"),
        (lambda s: network(s, np.full((2, 4), 9), refractory_time=40e-6), "tau_refrac = 40"),
        (lambda s: s.morphology.SingleCompartmentNeuron(3), "3 circuits in two rows"),
    ],
)
def test_hxtorch_refuses(snn: Any, breaks: Callable[[Any], object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        breaks(snn)


def test_hxtorch_demands_a_connection() -> None:
    with stand_ins():
        module = importlib.import_module("hxtorch.spiking")
        with pytest.raises(ValueError, match="init_hardware"):
            network(module, np.full((2, 4), 9))()


def test_coordinates_outside_the_chip_are_refused() -> None:
    with stand_ins():
        halco = importlib.import_module("dlens_vx_v3").halco
        for broken in (lambda: halco.NeuronRowOnDLS(2), lambda: halco.NeuronColumnOnDLS(256)):
            with pytest.raises(ValueError, match="there are"):
                broken()
