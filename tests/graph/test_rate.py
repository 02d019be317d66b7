from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lightning_neuro.errors import GraphError, NirError
from lightning_neuro.graph import golden
from lightning_neuro.graph.calibrate import quantize_network
from lightning_neuro.graph.digest import graph_sha256
from lightning_neuro.graph.evaluate import accuracy, classes_of
from lightning_neuro.graph.hardware_graph import (
    HardwareGraph,
    LateBias,
    Population,
    ReadoutKind,
    ResetKind,
    Values,
)
from lightning_neuro.graph.inputs import raster_of
from lightning_neuro.graph.lower import lower
from lightning_neuro.graph.metadata import Metadata
from lightning_neuro.graph.nir_file import read_nir
from lightning_neuro.graph.nir_hdf5 import write_graph
from lightning_neuro.graph.quantize import default_spec
from lightning_neuro.graph.stored import StoredQuantization
from lightning_neuro.graph.widths import RATE_SPEC, QuantizeSpec
from tests.graph.networks import chain
from tests.graph.rate_networks import SCHEDULES, Rate, intensities, rate_chain
from tests.graph.slow_network import simulate
from tests.graph.test_connections import convolutional

T = 4


def lowered(rate: Rate) -> HardwareGraph:
    return lower(rate.graph, rate.metadata)


# -- steps ---------------------------------------------------------------------------------------------------------


def scheduled(graph: HardwareGraph, rng: np.random.Generator, steps: int) -> HardwareGraph:
    """The graph with random initial membranes, first steps of spiking and windows of biases."""

    def one(p: Population) -> Population:
        start, end = sorted(rng.choice(steps + 1, 2, replace=False).tolist())
        late = LateBias(values=Values(real=rng.normal(0.1, 0.4, p.size)), onset=start, until=end)
        return dataclasses.replace(
            p,
            neuron=dataclasses.replace(p.neuron, v_init=Values(real=rng.normal(0.2, 0.5, p.size))),
            fires_from=int(rng.integers(0, 3)),
            fires_until=None if rng.random() < 0.5 else int(rng.integers(3, steps)),
            late_biases=(late,),
        )

    return dataclasses.replace(graph, populations=tuple(one(p) for p in graph.populations))


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 2**31),
    kind=st.sampled_from([ResetKind.ZERO, ResetKind.SUBTRACT]),
    beta=st.sampled_from([1.0, 0.875]),
    alpha=st.sampled_from([None, 0.5]),
    image=st.booleans(),
    direct=st.booleans(),
)
def test_both_arithmetics_equal_plain_python(
    seed: int, kind: ResetKind, beta: float, alpha: float | None, image: bool, direct: bool
) -> None:
    rng, steps = np.random.default_rng(seed), 6
    plain = convolutional(kind, alpha) if image else chain([9, 7, 4], seed=seed, kind=kind, beta=beta, alpha=alpha)
    coding: dict[str, str | int | float] = {"kind": "direct"} if direct else {}
    real = scheduled(dataclasses.replace(plain, coding=coding, steps=steps), rng, steps)
    inputs = intensities(2, steps, real.input.size, seed=seed)
    if not direct:
        inputs = dataclasses.replace(inputs, spikes=(inputs.spikes > 0.5).astype(np.uint8))
    spec = QuantizeSpec(weight_bits=int(rng.integers(3, 9)), state_bits=int(rng.integers(12, 25)), leak_bits=8)
    whole = quantize_network(real, spec, inputs)[0]
    assert (whole.input.format is not None) == direct
    for graph, arithmetic in ((real, "real"), (whole, "fixed")):
        raster = raster_of(inputs, graph, arithmetic)
        found = golden.run(graph, raster, arithmetic=arithmetic, record=True)
        for sample in range(2):
            spikes, membranes = simulate(graph, raster[sample], raw=arithmetic == "fixed")
            for p in graph.populations:
                if arithmetic == "fixed":
                    assert found.membrane[p.name][sample].tolist() == membranes[p.name]
                    assert (found.spikes[p.name][sample] == spikes[p.name]).all()
                else:
                    np.testing.assert_allclose(found.membrane[p.name][sample], membranes[p.name], atol=1e-9)


def test_an_initial_membrane_is_taken_for_every_sample() -> None:
    graph = lowered(rate_chain([5, 4, 3], schedule="synchronous", steps=T))
    two = raster_of(intensities(1, T, 5), graph, "real").repeat(2, axis=0)
    found = golden.run(graph, two, arithmetic="real", record=True)
    assert (found.membrane["fc0"][0] == found.membrane["fc0"][1]).all()
    assert (graph.populations[0].neuron.v_init.real == graph.populations[0].neuron.threshold.real / 2).all()


def test_neurons_are_silent_before_they_may_fire() -> None:
    graph = lowered(rate_chain([5, 4, 3], schedule="layer_sequential", steps=T))
    found = golden.run(graph, raster_of(intensities(20, T, 5), graph, "real"), arithmetic="real", record=True)
    assert not found.spikes["fc0"][:, :T].any() and found.spikes["fc0"][:, T:].any()
    assert np.isinf(found.margin["fc0"][:, :T]).all()


# -- what the schedules compute ------------------------------------------------------------------------------------


def staircase(z: torch.Tensor, theta: torch.Tensor, levels: int) -> torch.Tensor:
    return theta / levels * torch.clip(torch.ceil(z * levels / theta - 0.5), 0, levels)


def ann_scores(rate: Rate, values: np.ndarray, levels: int) -> np.ndarray:
    """Scores of an ANN with a staircase of some levels as activation, in float32 as torch computes."""
    a = torch.from_numpy(values)
    for k, (w, b) in enumerate(zip(rate.weights, rate.biases, strict=True)):
        z = a @ torch.from_numpy(w).T + torch.from_numpy(b)
        if k < len(rate.thresholds):
            theta = torch.from_numpy(rate.thresholds[k].astype(np.float32))
            a = staircase(z, theta, levels) / theta  # a spike counts 1; the threshold is in the next weights
    return z.numpy()


@pytest.mark.parametrize("levels", [1, 4, 8])
def test_layers_one_after_the_other_equal_the_staircase_ann(levels: int) -> None:
    rate = rate_chain([12, 30, 20, 5], schedule="layer_sequential", steps=levels, seed=levels)
    graph, inputs = lowered(rate), intensities(200, levels, 12)
    expected = ann_scores(rate, inputs.spikes[:, 0], levels)
    found = golden.run(graph, raster_of(inputs, graph, "real"), arithmetic="real")
    np.testing.assert_allclose(found.scores / levels, expected, atol=2e-5)
    whole, _ = quantize_network(graph, QuantizeSpec(weight_bits=16, state_bits=32, leak_bits=8), inputs)
    agree = (classes_of(whole, inputs, "fixed") == expected.argmax(axis=1)).mean()
    assert agree >= 0.98


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("direct", [True, False])
def test_torch_float_integers_and_reals_classify_alike(schedule: str, direct: bool) -> None:
    rate = rate_chain([16, 24, 6], schedule=schedule, steps=16, direct=direct)
    graph, inputs = lowered(rate), intensities(150, 16, 16)
    expected = ann_scores(rate, inputs.spikes[:, 0], 16).argmax(axis=1)
    if not direct:
        phase = np.floor(np.arange(1, 17)[:, None] * inputs.spikes + 0.5)
        spikes = np.diff(phase, axis=1, prepend=0.0).astype(np.uint8)
        inputs = dataclasses.replace(inputs, spikes=spikes)
    whole, _ = quantize_network(graph, default_spec(graph, RATE_SPEC), inputs)
    real, fixed = classes_of(graph, inputs, "real"), classes_of(whole, inputs, "fixed")
    assert (real == fixed).mean() >= 0.97
    assert (real == expected).mean() >= (0.8 if schedule != "layer_sequential" or not direct else 0.99)


# -- border --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_nir_and_its_metadata_carry_the_schedule(schedule: str, tmp_path: Path) -> None:
    rate = rate_chain([5, 4, 4, 3], schedule=schedule, steps=T)
    write_graph(tmp_path / "net.nir", rate.graph)
    again = lower(*read_nir(tmp_path / "net.nir", dt_s=None))
    assert graph_sha256(again) == graph_sha256(lowered(rate))
    first = again.populations[0]
    windows = {"synchronous": (), "pipelined": ((0, T),), "layer_sequential": ((0, T),)}[schedule]
    assert tuple((late.onset, late.until) for late in first.late_biases) == windows
    assert first.bias.real.any() == (schedule == "synchronous")


def test_every_new_field_changes_the_digest() -> None:
    rate = rate_chain([5, 4, 3], schedule="layer_sequential", steps=T)
    changed = [
        dataclasses.replace(rate.metadata, v_init={}),
        dataclasses.replace(rate.metadata, fires_from={}),
        dataclasses.replace(rate.metadata, fires_until={}),
        dataclasses.replace(rate.metadata, bias_windows={"fc0": (0, T + 1), "fc1": (T, 2 * T)}),
    ]
    graphs = [lowered(rate), *(lower(rate.graph, metadata) for metadata in changed)]
    graphs.append(quantize_network(graphs[0], RATE_SPEC, intensities(9, T, 5))[0])
    assert len({graph_sha256(graph) for graph in graphs}) == 6


@pytest.mark.parametrize("part", [{"v_init": {"nobody": 0.5}}, {"fires_from": {"fc0_w": 3}}, {"v_init": {"fc1": 0.5}}])
def test_a_schedule_of_no_neuron_is_refused(part: dict) -> None:
    rate = rate_chain([5, 4, 3], schedule="synchronous", steps=T)
    with pytest.raises(NirError, match="metadata"):
        lower(rate.graph, dataclasses.replace(rate.metadata, **part))


@pytest.mark.parametrize(
    ("key", "value"),
    [("v_init", '{"a": NaN}'), ("fires_from", '{"a": -1}'), ("bias_windows", '{"a": [3, 3]}'), ("fires_from", "[]")],
)
def test_a_damaged_schedule_is_one_message(key: str, value: str) -> None:
    plain = rate_chain([5, 4, 3], schedule="synchronous", steps=T).metadata.to_dict()
    with pytest.raises(NirError, match="damaged"):
        Metadata.from_dict({**plain, key: value}, "here")


# -- integers ------------------------------------------------------------------------------------------------------


def test_grey_values_are_exact_integers() -> None:
    inputs = intensities(50, T, 30)
    graph, stored = quantize_network(
        lowered(rate_chain([30, 8, 3], schedule="synchronous", steps=T)), RATE_SPEC, inputs
    )
    raw = raster_of(inputs, graph, "fixed")
    assert stored.input is not None and raw.dtype == np.int16 and raw.max() == 255
    np.testing.assert_allclose(raw * stored.input.lsb, inputs.spikes, atol=1e-7)


def test_stored_integers_are_the_same_after_reading() -> None:
    rate, inputs = rate_chain([6, 5, 3], schedule="pipelined", steps=T), intensities(30, T, 6)
    graph, stored = quantize_network(lowered(rate), RATE_SPEC, inputs)
    for read in (StoredQuantization.from_plain(stored.to_plain()), StoredQuantization.from_json(stored.to_json())):
        assert graph_sha256(read.apply(lowered(rate))) == graph_sha256(graph)


def test_a_membrane_without_leak_holds_what_calibration_samples_need() -> None:
    rate = rate_chain([40, 30, 5], schedule="layer_sequential", steps=16, scale=4.0)
    inputs = intensities(60, 16, 40)
    graph, _ = quantize_network(lowered(rate), RATE_SPEC, inputs)
    found = golden.run(graph, raster_of(inputs, graph, "fixed"), arithmetic="fixed", record=True)
    for p in graph.populations:
        form = p.state_format
        assert form is not None and form.low < found.membrane[p.name].min() and found.membrane[p.name].max() < form.high


def test_values_that_no_line_can_carry_are_refused() -> None:
    inputs = intensities(5, T, 5)
    graph, _ = quantize_network(lowered(rate_chain([5, 4, 3], schedule="synchronous", steps=T)), RATE_SPEC, inputs)
    for raster in (inputs.spikes, raster_of(inputs, graph, "fixed") * 9):
        with pytest.raises(GraphError, match="integers"):
            golden.run(graph, raster, arithmetic="fixed")


def test_accuracy_shows_the_input_for_its_own_steps_only() -> None:
    rate, inputs = rate_chain([5, 4, 3], schedule="layer_sequential", steps=T), intensities(40, T, 5)
    graph = lowered(rate)
    raster = raster_of(inputs, graph, "real")
    assert raster.shape == (40, 2 * T, 5) and not raster[:, T:].any() and raster[:, :T].any()
    expected = golden.run(graph, raster, arithmetic="real").classes
    assert accuracy(graph, inputs, "real") == (expected == inputs.labels).mean()


def test_a_count_of_spikes_reads_out_too() -> None:
    rate = rate_chain([5, 4, 3], schedule="synchronous", steps=T)
    graph = dataclasses.replace(lowered(rate), output="fc0", readout=ReadoutKind.SPIKE_COUNT)
    raster = raster_of(intensities(9, T, 5), graph, "real")
    found = golden.run(graph, raster, arithmetic="real", record=True)
    assert (found.scores == found.spikes["fc0"].sum(axis=1)).all()
