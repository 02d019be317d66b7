from __future__ import annotations

import numpy as np
import pytest

from lightning_neuro.data.spike_set import SpikeSet
from lightning_neuro.graph import golden
from lightning_neuro.graph.agreement import count_distance, refine_formats, spike_counts
from lightning_neuro.graph.calibrate import quantize_network
from lightning_neuro.graph.hardware_graph import ReadoutKind, ResetKind
from lightning_neuro.graph.inputs import raster_of
from lightning_neuro.graph.quantize import choose_formats, quantize
from lightning_neuro.graph.widths import QuantizeSpec
from tests.graph.networks import chain, spikes

SPEC = QuantizeSpec(weight_bits=3, state_bits=8, leak_bits=8)


def labelled(raster: np.ndarray) -> SpikeSet:
    return SpikeSet(spikes=raster, labels=np.zeros(len(raster), np.int64))


def distance_between(graph, quantized, inputs) -> float:
    runs = ((graph, "real"), (quantized, "fixed"))
    return count_distance(
        *(spike_counts(golden.run(g, raster_of(inputs, g, a), arithmetic=a, record=True)) for g, a in runs)
    )


def distance(graph, formats, raster) -> float:
    counts = [
        spike_counts(golden.run(net, raster, arithmetic=arithmetic, record=True))
        for net, arithmetic in ((graph, "real"), (quantize(graph, formats), "fixed"))
    ]
    return count_distance(*counts)


@pytest.mark.parametrize("seed", range(4))
def test_refined_formats_never_count_worse_on_the_calibration_data(seed: int) -> None:
    graph, raster = chain([20, 16, 6], seed=seed), spikes(40, 16, 20, seed=seed)
    plain = choose_formats(graph, SPEC, membrane_range={})
    refined = refine_formats(graph, plain, labelled(raster))
    assert distance(graph, refined, raster) <= distance(graph, plain, raster)


def test_refining_also_helps_on_other_data() -> None:
    totals = np.zeros(2)
    for seed in range(6):
        graph = chain([30, 24, 8], seed=seed)
        plain = choose_formats(graph, SPEC, membrane_range={})
        refined = refine_formats(graph, plain, labelled(spikes(60, 16, 30, seed=seed)))
        held_out = spikes(200, 16, 30, seed=100 + seed)
        totals += [distance(graph, plain, held_out), distance(graph, refined, held_out)]
    assert totals[1] < 0.95 * totals[0]


def test_widths_and_guard_bits_stay() -> None:
    graph = chain([20, 16, 6])
    plain = choose_formats(graph, SPEC, membrane_range={})
    refined = refine_formats(graph, plain, labelled(spikes(20, 16, 20)))
    for name in plain:
        assert (refined[name].weight.bits, refined[name].state.bits) == (3, 8)
        ratio = [f[name].weight.lsb / f[name].state.lsb for f in (plain, refined)]
        assert ratio[0] == pytest.approx(ratio[1], rel=1e-12)


def test_a_readout_keeps_its_calibrated_range() -> None:
    graph = chain([20, 6], kind=ResetKind.NONE, readout=ReadoutKind.MEMBRANE_MAX)
    plain = choose_formats(graph, SPEC, membrane_range={"layer1": 3.0})
    assert refine_formats(graph, plain, labelled(spikes(5, 16, 20))) == plain


def test_currents_become_integers_that_count_as_the_currents_do() -> None:
    graph = chain([20, 6])
    analog = labelled(np.random.default_rng(0).random((3, 16, 20)).astype(np.float32))
    spec = QuantizeSpec(weight_bits=8, state_bits=24, leak_bits=8)
    quantized, stored = quantize_network(graph, spec, analog)
    assert stored.input == quantized.input.format and distance_between(graph, quantized, analog) < 0.1
