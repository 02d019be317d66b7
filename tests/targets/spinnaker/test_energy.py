"""The energy model by hand, and its constants against SpiNNMachine's."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from lightning_neuro.graph.hardware_graph import Values
from lightning_neuro.targets.spinnaker import energy
from lightning_neuro.targets.spinnaker.plan import plan_network
from tests.graph.networks import chain
from tests.targets.spinnaker.small_graphs import convolutional

THEIRS = """
import json
from spinn_machine.version.version_5 import Version5 as V
names = "WATTS_PER_IDLE_CHIP WATTS_PER_CORE_ACTIVE_OVERHEAD JOULES_PER_PACKET WATTS_FOR_48_CHIP_BOARD_IDLE_COST"
print(json.dumps([getattr(V, name) for name in names.split()]))
"""


@pytest.mark.skipif(find_spec("spinn_machine") is None, reason="SpiNNMachine is not installed (pip install sPyNNaker)")
def test_constants_are_spinnmachines() -> None:
    run = subprocess.run([sys.executable, "-c", THEIRS], capture_output=True, text=True, check=True, timeout=120)
    ours = [energy.CHIP_W, energy.CORE_W, energy.PACKET_J, energy.BOARD_W]
    assert json.loads(run.stdout.splitlines()[-1]) == pytest.approx(ours)


def test_an_inference_by_hand() -> None:
    activity = energy.Activity(steps=100, spikes=1000.0, chips_per_spike=2.0)
    found = energy.energy_per_inference(activity, cores=3, chips=2, boards=1, timestep_ms=1.0)
    # 0.1 s of two idle chips and three busy cores, and 2000 packets of 1 nJ
    assert found["joules"] == pytest.approx(0.1 * (2 * 0.35 + 3 * 0.034) + 2e-6)
    assert found["joules_boards"] == pytest.approx(0.1 * (26.84 + 3 * 0.034) + 2e-6)
    assert found["kind"] == "model, not measured"
    assert found["assumptions"]["steps_per_inference"] == 100  # type: ignore[index]
    json.dumps(found)


def test_cores_are_counted_in_portions_of_256_neurons_and_100_input_lines() -> None:
    assert energy.count_cores(plan_network(chain([784, 128, 10]))) == 8 + 1 + 1
    assert energy.count_cores(plan_network(chain([100, 512, 10]))) == 1 + 2 + 1


def test_a_bias_costs_a_core() -> None:
    graph = chain([4, 3])
    biased = dataclasses.replace(graph.populations[0], bias=Values(real=np.ones(3)))
    with_bias = dataclasses.replace(graph, populations=(biased,))
    assert energy.count_cores(plan_network(with_bias)) == energy.count_cores(plan_network(graph)) + 1


def test_maps_cost_a_core_per_channel_and_tile() -> None:
    plan = plan_network(convolutional(alpha=0.8))
    tiled = tuple(dataclasses.replace(p, tile=(8, 4) if p.name == "conv" else None) for p in plan.populations)
    # 2 input maps of one tile, 4 maps of 8 x 8 in two tiles each, 6 outputs
    found = dataclasses.replace(plan, populations=tiled, input_tile=(10, 10))
    assert energy.count_cores(found) == 2 + 4 * 2 + 1
