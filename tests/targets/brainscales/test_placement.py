"""Placements that are found keep every rule, as a check finds that shares no code with the search."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightning_neuro.targets.brainscales.chip_network import ChipNetwork, ChipProjection
from lightning_neuro.targets.brainscales.partition import Run, partition
from lightning_neuro.targets.brainscales.placement import (
    CSV_COLUMNS,
    Block,
    Placement,
    csv_rows,
    split_weights,
    uses,
)
from lightning_neuro.targets.brainscales.placement_check import check_placement, check_runs, synapses_of
from lightning_neuro.targets.brainscales.placement_plot import chip_pixels, placement_plot, population_colours
from tests.targets.brainscales.chip_networks import chip_chain


def placed(network: ChipNetwork) -> tuple[Run, ...]:
    found = partition(network)
    assert found is not None
    return found


def only(network: ChipNetwork) -> Placement:
    (run,) = placed(network)
    return run.placement


def used(placement: Placement, what: str) -> int:
    return next(use.used for use in uses(placement) if use.what == what)


# -- what is found -----------------------------------------------------------------------------------------------

NETWORKS = {  # sizes, largest weight, runs
    "Yin-Yang, five lines of each input": ([25, 120, 3], 63, 1),
    "largest hidden layer of a single-circuit read-out": ([5, 128, 3], 63, 1),
    "weights on five rows": ([5, 120, 3], 300, 1),
    "digits": ([64, 128, 10], 63, 1),
    "16 x 16 MNIST, the whole chip": ([256, 246, 10], 63, 1),
    "28 x 28 MNIST": ([784, 128, 10], 63, 3),
    "a read-out from 150 neurons": ([100, 150, 10], 63, 1),
    "five layers": ([30, 40, 40, 40, 40, 5], 63, 1),
    "every row of both hemispheres twice": ([128, 128, 128, 10], 63, 1),
    "a layer of many rows and neurons": ([300, 150, 10], 200, 4),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_are_placed_and_the_check_agrees(name: str) -> None:
    sizes, largest, runs = NETWORKS[name]
    network = chip_chain(sizes, largest=largest)
    found = placed(network)
    assert len(found) == runs
    assert check_runs(network, found) == ()


def test_hidden_and_read_out_of_yin_yang_lie_in_their_own_hemispheres() -> None:
    placement = only(chip_chain([25, 120, 3]))
    assert [block.hemispheres for block in placement.blocks] == [(0,), (1,)]
    assert used(placement, "synapse rows, hemisphere 0") == 50
    assert used(placement, "synapse rows, hemisphere 1") == 240
    assert not placement.shares_rows


def test_mnist_of_16_by_16_takes_two_circuits_per_neuron_and_shares_rows() -> None:
    placement = only(chip_chain([256, 246, 10]))
    assert [block.circuits_per_neuron for block in placement.blocks] == [2, 2]
    assert used(placement, "neuron circuits") == 512 and placement.shares_rows
    assert used(placement, "synapse rows, hemisphere 0") == used(placement, "synapse rows, hemisphere 1") == 256


def test_mnist_of_28_by_28_takes_eight_circuits_per_neuron_in_parts_of_64() -> None:
    runs = placed(chip_chain([784, 128, 10]))
    assert [(part.layer, part.start, part.stop) for run in runs for part in run.parts] == [
        ("layer1", 0, 64),
        ("layer1", 64, 128),
        ("layer2", 0, 10),
    ]
    assert [run.replayed for run in runs] == [("input",), ("input",), ("layer1",)]
    assert runs[0].placement.blocks[0].circuits_per_neuron == 8


def test_layers_share_rows_only_where_nothing_else_helps() -> None:
    placement = only(chip_chain([60, 100, 90, 5]))  # 150 rows of 128 for the first and last layer in one hemisphere
    assert not placement.shares_rows
    assert placement.block("layer3").circuits_per_neuron == 2


def test_the_same_network_is_placed_the_same_way() -> None:
    assert only(chip_chain([64, 128, 10])) == only(chip_chain([64, 128, 10]))


def test_sources_without_weights_take_no_rows() -> None:
    network = chip_chain([20, 30, 3])
    weights = network.projections[0].weights.copy()
    weights[:, 5:] = 0
    first = ChipProjection(pre="input", post="layer1", weights=weights)
    sparse = dataclasses.replace(network, projections=(first, network.projections[1]))
    assert used(only(sparse), "synapse rows, hemisphere 0") == 10


def test_a_line_that_feeds_two_layers_reaches_both() -> None:
    network = chip_chain([6, 20, 3])
    bias = np.zeros((3, 6), np.int64)
    bias[:, 5] = 40
    skipping = ChipProjection(pre="input", post="layer2", weights=bias)
    both = dataclasses.replace(network, projections=(*network.projections, skipping))
    assert check_runs(both, placed(both)) == ()
    assert {row.post for row in only(both).rows if row.pre == "input" and row.source == 5} == {"layer1", "layer2"}


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 150), min_size=2, max_size=4),
    largest=st.sampled_from([1, 63, 64, 150]),
    seed=st.integers(0, 10),
)
def test_random_networks_are_placed_and_the_check_agrees(sizes: list[int], largest: int, seed: int) -> None:
    network = chip_chain(sizes, largest=largest, seed=seed)
    assert check_runs(network, placed(network)) == ()


def test_repeated_sources_add_up_to_their_weight() -> None:
    weights = np.arange(-200, 201)
    parts = split_weights(weights, 4)
    assert (parts.sum(axis=0) == weights).all() and np.abs(parts).max() == 50
    assert (np.sign(parts) * np.sign(weights) >= 0).all()


# -- what the check refuses --------------------------------------------------------------------------------------

SMALL = chip_chain([25, 40, 3])
WIDE = chip_chain([256, 246, 10])


def moved(placement: Placement, layer: str, **changes: object) -> Placement:
    blocks = tuple(
        dataclasses.replace(b, **changes) if b.part.layer == layer else b  # type: ignore[arg-type]
        for b in placement.blocks
    )
    return dataclasses.replace(placement, blocks=blocks)


def rewired(placement: Placement, number: int, **changes: object) -> Placement:
    rows = list(placement.rows)
    rows[number] = dataclasses.replace(rows[number], **changes)  # type: ignore[arg-type]
    return dataclasses.replace(placement, rows=tuple(rows))


def from_layer1(placement: Placement) -> int:
    """Number of the first row that a neuron of layer1 drives."""
    return next(k for k, row in enumerate(placement.rows) if row.pre == "layer1")


def crowded(placement: Placement) -> Placement:
    """A 33rd driver on bus 0: an input of the read-out's hemisphere says it is where it cannot be."""
    on_bus = [k for k, row in enumerate(placement.rows) if row.hemisphere == 0 and row.driver % 4 == 1]
    return rewired(placement, on_bus[0], driver=128 * 4)


def same_driver(placement: Placement) -> Placement:
    first, second = placement.rows[:2]
    return rewired(placement, 1, driver=first.driver, hemisphere=first.hemisphere, label=second.label + 1)


MUTATIONS: dict[str, tuple[ChipNetwork, Callable[[Placement], Placement], tuple[str, ...]]] = {
    "beyond the last column": (
        SMALL,
        lambda p: moved(p, "layer1", first_column=217),
        ("layer1", "circuits per hemisphere", "columns 217 to 256", "columns 0 to 255"),
    ),
    "a third hemisphere": (
        SMALL,
        lambda p: moved(p, "layer2", hemispheres=(2,)),
        ("layer2", "circuits per hemisphere", "(2,)", "hemispheres 0 and 1"),
    ),
    "two neurons in a circuit": (
        SMALL,
        lambda p: moved(p, "layer2", hemispheres=(0,), first_column=39),
        ("hemisphere 0, column 39", "circuits", "2 neurons", "1 neuron per circuit"),
    ),
    "more circuits than there are": (
        WIDE,
        lambda p: moved(p, "layer2", first_column=0, columns_per_neuron=2),
        ("network", "circuits per chip", "532", "512"),
    ),
    "rows beyond the last": (
        SMALL,
        crowded,
        ("input", "rows per hemisphere", "row 1024", "rows 0 to 255"),
    ),
    "a hemisphere without the target": (
        SMALL,
        lambda p: rewired(p, 0, hemisphere=1),
        ("input 0 -> layer1", "circuits of the target", "hemisphere 1", "hemispheres (0,)"),
    ),
    "a target that is not on the chip": (
        SMALL,
        lambda p: rewired(p, 0, post="layer9"),
        ("input 0 -> layer9", "target", "layer9", "a layer on the chip"),
    ),
    "a neuron's spikes on another bus": (
        SMALL,
        lambda p: rewired(p, from_layer1(p), driver=p.rows[from_layer1(p)].driver + 1),
        ("layer1 0 -> layer2", "PADI bus", "bus 1", "bus 0, that of column 0"),
    ),
    "a neuron as an input": (
        SMALL,
        lambda p: rewired(p, from_layer1(p), internal=False),
        ("layer1 0 -> layer2", "origin", "spikes from outside"),
    ),
    "a label of seven bits": (
        SMALL,
        lambda p: rewired(p, 0, label=64),
        ("input 0 -> layer1", "synapse label", "64", "0 to 63"),
    ),
    "two sources with one label": (
        SMALL,
        lambda p: rewired(p, 1, driver=p.rows[0].driver, label=p.rows[0].label),
        ("synapse label", "input 0 -> layer1 and input", "one source per label and driver"),
    ),
    "two sources on a synapse": (
        SMALL,
        same_driver,
        ("fan-in per circuit", "2 sources", "1 per synapse"),
    ),
    "a source left out": (
        SMALL,
        lambda p: dataclasses.replace(p, rows=p.rows[1:]),
        ("-> layer1", "synapse", "0 LSB as placed"),
    ),
    "a repeated source on too few rows": (
        chip_chain([5, 10, 3], largest=126),
        lambda p: dataclasses.replace(p, rows=tuple(row for row in p.rows if row.copy == 0)),
        ("weight", "LSB", "0 to 63 LSB: repeat the source"),
    ),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_wrong_placement_is_refused_by_its_rule(name: str) -> None:
    network, mutate, words = MUTATIONS[name]
    right = only(network)
    assert check_placement(network, right) == ()
    found = check_placement(network, mutate(right))
    rows = [" ".join(dataclasses.astuple(violation)) for violation in found]
    assert any(all(word in row for word in words) for row in rows), rows


def test_more_than_64_rows_of_a_bus_are_refused() -> None:
    network = chip_chain([128, 20, 3])
    right = only(network)
    drivers = {row.driver for row in right.rows if row.hemisphere == 0}
    assert len(drivers) == 128
    extra = dataclasses.replace(right.rows[0], driver=128, label=1)  # a 33rd driver of bus 0
    found = check_placement(network, dataclasses.replace(right, rows=(*right.rows, extra)))
    assert {v.what for v in found} == {"rows per hemisphere", "rows per PADI bus"}
    bus = next(v for v in found if v.what == "rows per PADI bus")
    assert (bus.where, bus.needed, bus.available) == ("hemisphere 0, bus 0", "66", "64")


def test_a_neuron_that_no_run_computes_is_found() -> None:
    network = chip_chain([784, 128, 10])
    found = check_runs(network, placed(network)[1:])
    assert any(v.what == "placement of a neuron" and v.available == "0 times" for v in found)


def test_spikes_cannot_be_replayed_before_they_were_recorded() -> None:
    network = chip_chain([784, 128, 10])
    first, second, last = placed(network)
    found = check_runs(network, (first, last, second))
    assert [v.what for v in found] == ["replayed spikes"]
    assert found[0].where == "layer1 64 -> layer2"


# -- what is written ---------------------------------------------------------------------------------------------


def test_the_table_names_every_neuron_and_every_row() -> None:
    placement = only(SMALL)
    lines = list(csv_rows(0, placement))
    out = io.StringIO()
    writer = csv.DictWriter(out, CSV_COLUMNS)
    writer.writeheader()
    writer.writerows(lines)
    read = list(csv.DictReader(io.StringIO(out.getvalue())))
    neurons = [line for line in read if line["kind"] == "neuron"]
    assert [(n["population"], n["index"]) for n in neurons[:2]] == [("layer1", "0"), ("layer1", "1")]
    assert len(neurons) == 43 and len(read) == 43 + len(placement.rows)
    source = next(line for line in read if line["kind"] == "source" and line["population"] == "layer1")
    assert int(source["row_inh"]) == int(source["row_exc"]) + 1 == 2 * int(source["driver"]) + 1
    assert int(source["driver"]) % 4 == int(source["padi_bus"]) == 0


@pytest.mark.draws
def test_the_picture_shows_each_synapse_in_the_colour_of_its_source() -> None:
    placement = only(SMALL)
    colours = population_colours(SMALL)
    pixels = chip_pixels(SMALL, placement, colours)
    chip = synapses_of(SMALL, placement)
    hemisphere, row, column = np.argwhere(chip.weight == 63)[0]
    assert hemisphere == 0
    np.testing.assert_allclose(pixels[255 - row, column], colours["input"])
    block: Block = placement.block("layer1")
    np.testing.assert_allclose(pixels[256, block.columns(0)[0]], colours["layer1"])
    assert (pixels[0, 255] == 1).all()
    assert placement_plot(SMALL, placed(SMALL)).png.startswith(b"\x89PNG")


@pytest.mark.draws
def test_the_picture_says_how_many_runs_it_leaves_out() -> None:
    network = chip_chain([784, 256, 10])
    assert "5 in all" in placement_plot(network, placed(network)).caption
