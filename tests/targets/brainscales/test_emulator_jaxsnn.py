"""The emulator against jaxsnn, an independent exact simulator of the same neurons."""

from __future__ import annotations

import json

import numpy as np
import pytest

from lightning_neuro.graph.hardware_graph import ReadoutKind
from lightning_neuro.targets.brainscales.chip_network import ChipNetwork, ChipProjection
from lightning_neuro.targets.brainscales.emulator import emulate
from lightning_neuro.targets.brainscales.recording import events_of
from lightning_neuro.targets.brainscales.virtual_chip import ideal_chip
from tests.targets.brainscales import record_jaxsnn
from tests.targets.brainscales.chip_networks import chip_layer

TOLERANCE_US = 1e-3
RECORDED = json.loads(record_jaxsnn.FILE.read_text())


def network_of(case: dict) -> ChipNetwork:
    sizes, names = record_jaxsnn.SIZES, ("input", "hidden", "output")
    constants = {"tau_mem_us": case["tau_mem_us"], "refractory_us": 0.0, "weight_scale": record_jaxsnn.SCALE}
    return ChipNetwork(
        input="input",
        lines=sizes[0],
        layers=tuple(chip_layer(name, size, **constants) for name, size in zip(names[1:], sizes[1:], strict=True)),
        projections=tuple(
            ChipProjection(pre=pre, post=post, weights=np.array(weights))
            for pre, post, weights in zip(names, names[1:], case["weights"], strict=False)
        ),
        output="output",
        readout=ReadoutKind.FIRST_SPIKE,
        sample_us=record_jaxsnn.SAMPLE_US,
        gap_us=0.0,
        speedup=1000.0,
        notes=(),
    )


def emulated(case: dict) -> list[list[list[tuple[int, float]]]]:
    network = network_of(case)
    spikes = emulate(network, events_of(np.array(case["inputs"])), [ideal_chip(network)], run=0)[0].spikes
    return [
        [
            list(zip(events.neuron[events.sample == s], events.time_us[events.sample == s], strict=True))
            for s in range(record_jaxsnn.SAMPLES)
        ]
        for events in (spikes["hidden"], spikes["output"])
    ]


def assert_same(ours: list, theirs: list) -> None:
    for our_layer, their_layer in zip(ours, theirs, strict=True):
        for mine, other in zip(our_layer, their_layer, strict=True):
            mine, other = np.array(sorted(mine)).reshape(-1, 2), np.array(sorted(map(tuple, other))).reshape(-1, 2)
            assert mine[:, 0].tolist() == other[:, 0].tolist()
            np.testing.assert_allclose(mine[:, 1], other[:, 1], rtol=0, atol=TOLERANCE_US)


@pytest.mark.parametrize("case", RECORDED, ids=lambda case: f"tau_mem {case['tau_mem_us']:g}")
def test_every_spike_of_random_networks_is_where_jaxsnn_puts_it(case: dict) -> None:
    assert sum(len(sample) for layer in case["spikes"] for sample in layer) > 50
    assert_same(emulated(case), case["spikes"])


def test_the_recording_is_of_these_networks() -> None:
    assert [{key: case[key] for key in ("tau_mem_us", "weights", "inputs")} for case in RECORDED] == (
        record_jaxsnn.networks()
    )


def test_jaxsnn_where_it_is_installed_says_the_same_today() -> None:
    pytest.importorskip("jaxsnn", reason="jaxsnn is not installed; its recorded spikes are compared above")
    case = record_jaxsnn.networks()[2]
    assert_same(emulated(case), record_jaxsnn.spikes_of(case))
