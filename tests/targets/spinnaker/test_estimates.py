"""Load and memory that are predicted before anything runs; ``test_virtual_board`` compares them with sPyNNaker."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from lightning_neuro.graph.hardware_graph import Dense, Values
from lightning_neuro.targets.spinnaker.estimates import (
    EVENTS_PER_SECOND,
    ROW_SECONDS,
    CoreLoad,
    core_loads,
    delay_cores,
    predict,
    ring_slots,
    spike_buffer,
    time_scale_factor,
)
from lightning_neuro.targets.spinnaker.plan import SpinnakerPlan, plan_network
from tests.targets.spinnaker import boards
from tests.targets.spinnaker.boards import edge, layer, network


def dense_plan(post: int, pre: int, delay: int = 0) -> SpinnakerPlan:
    weight = np.ones((post, pre))
    connection = Dense(weight=Values(real=weight))
    graph = network((pre,), [layer("out", (post,), current_based=False)], [edge("input", "out", connection, delay)])
    return plan_network(graph, None)


def test_events_are_counted_in_the_busiest_step_and_shared_by_the_cores() -> None:
    spikes = np.zeros((2, 5, 8), np.uint8)
    spikes[1, 3, :6] = 1
    (load,) = core_loads(dense_plan(512, 8), {"input": spikes, "out": np.zeros((2, 5, 512))})
    assert (load.events, load.spikes) == (6 * 256, 6)
    assert load.share == pytest.approx((6 * 256 / EVENTS_PER_SECOND + 12 * ROW_SECONDS) / 1e-3)


def test_a_busy_core_slows_the_machine_down() -> None:
    loads = [CoreLoad(layer="a", events=1, spikes=1, share=share) for share in (0.1, 0.5, 0.51, 1.6)]
    assert [time_scale_factor((load,)) for load in loads] == [1, 1, 2, 4]


@pytest.mark.parametrize(("arriving", "queue"), [(0, 256), (100, 256), (128, 256), (129, 512), (784, 2048)])
def test_the_queue_holds_twice_what_arrives(arriving: int, queue: int) -> None:
    assert spike_buffer((CoreLoad(layer="a", events=1, spikes=arriving, share=0.1),)) == queue


def test_settings_of_the_artefact_carry_both(tmp_path: Path) -> None:
    boards.deployed(boards.recurrent(), tmp_path)
    settings = (tmp_path / "spynnaker.cfg").read_text()
    assert "time_scale_factor = 2" in settings and "incoming_spike_buffer_size = 256" in settings


def test_delays_beyond_the_ring_buffer_take_a_core_of_their_own() -> None:
    plan = dense_plan(256, 150, delay=60)
    assert ring_slots(plan.population("out")) == 32
    assert delay_cores(plan) == 2  # a hundred lines on each of the input's cores
    assert delay_cores(dense_plan(256, 150, delay=0)) == 0
    assert predict(plan).cores == predict(dense_plan(256, 150)).cores + 2


def test_slower_steps_give_the_cores_more_time() -> None:
    graph = boards.recurrent()
    spikes = np.ones((1, boards.STEPS, 20), np.uint8)
    rasters = {"input": spikes, "hidden": np.zeros((1, boards.STEPS, 300)), "out": np.zeros((1, boards.STEPS, 5))}
    fast = core_loads(plan_network(graph, None), rasters)
    slow = core_loads(plan_network(dataclasses.replace(graph, dt_s=2e-3), None), rasters)
    assert [load.share for load in fast] == pytest.approx([2 * load.share for load in slow])
