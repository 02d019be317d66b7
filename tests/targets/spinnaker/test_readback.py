"""Decoding what would be loaded, on memory written by hand; ``test_virtual_board`` does the same with sPyNNaker's."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from lightning_neuro.targets.spinnaker.board_image import BoardImage, PlacedCore, PlacedPopulation, layer_of
from lightning_neuro.targets.spinnaker.board_problems import synapse_differences
from lightning_neuro.targets.spinnaker.kernels import divide
from lightning_neuro.targets.spinnaker.placement import layer_colours, placement_plot
from lightning_neuro.targets.spinnaker.readback import synapses

KEY = 0x1000


def word(weight: int, delay: int, receptor: int, neuron: int, *, neuron_bits: int = 2) -> int:
    return weight << 16 | delay << (neuron_bits + 1) | receptor << neuron_bits | neuron


def core(population: str, number: int, neurons: list[int], key: int | None, **regions: list[int]) -> PlacedCore:
    return PlacedCore(
        population=population,
        chip=(0, 0),
        core=number,
        sdram=100,
        binary=f"{population}.aplx",
        neurons=np.array(neurons),
        key=key,
        colour_bits=4,
        late=np.zeros(len(neurons), np.int64),
        regions={name: np.array(words, np.uint32) for name, words in regions.items()},
    )


def image() -> BoardImage:
    """Three source neurons on two cores reach four others: rows of at most two synapses."""
    table = [1, 1, KEY, 0xFFFFFF00, 1 << 16 | 4 << 13, 6 << 16 | 1, 1 << 16 | 2, 0 << 8 | 1]
    rows = [
        [0, 2, 0, word(7, 1, 0, 3), word(9, 1, 1, 0)],
        [0, 0, 0, 0, 0],
        [0, 1, 0, word(65535, 3, 1, 2), 0],
        [0, 0, 0, 0, 0],
    ]
    matrix = [value for row in rows for value in row]
    names = [("pre", 3, ()), ("post", 4, (2, 3))]
    return BoardImage(
        version="7",
        boards=1,
        chips=2,
        chip_places=((0, 0), (1, 0)),
        populations={n: PlacedPopulation(name=n, size=s, shape=(s,), shifts=shifts) for n, s, shifts in names},
        cores=(
            core("pre", 2, [0, 1], KEY),
            core("pre", 3, [2], KEY + 64),
            core("post", 4, [0, 1, 2, 3], None, POPULATION_TABLE=table, SYNAPTIC_MATRIX=matrix),
        ),
        routing_entries=1,
        routing_entries_most=1,
        missing_binaries=(),
        warnings=(),
    )


def test_a_spike_is_followed_from_its_key_to_its_synapses() -> None:
    found = synapses(image())["pre", "post"]
    columns = zip(found.pre, found.post, found.receptor, found.delay, found.weight, strict=True)
    assert {tuple(int(n) for n in column) for column in columns} == {
        (0, 3, 0, 1, 7),
        (0, 0, 1, 1, 9),
        (2, 2, 1, 3, 65535),
    }


def test_maps_are_numbered_as_neurons_of_their_layer() -> None:
    there = image()
    renamed = {"pre[0]": "pre", "post[1]": "post"}
    populations = {new: dataclasses.replace(there.populations[old], name=new) for new, old in renamed.items()}
    cores = tuple(
        dataclasses.replace(c, population=next(new for new, old in renamed.items() if old == c.population))
        for c in there.cores
    )
    found = synapses(dataclasses.replace(there, populations=populations, cores=cores))
    assert found["pre", "post"].post.min() == 4  # the second map begins behind the four neurons of the first
    assert layer_of("a[2]") == ("a", 2) and layer_of("a_2") == ("a_2", 0)


def test_a_key_that_no_table_knows_reaches_nothing() -> None:
    there = image()
    elsewhere = tuple(dataclasses.replace(c, key=0x9000) if c.population == "pre" else c for c in there.cores)
    assert synapses(dataclasses.replace(there, cores=elsewhere)) == {}


@pytest.mark.parametrize("divisor", [1, 2, 3, 5, 7, 8, 13, 28, 100, 255])
def test_the_machines_division_is_exact(divisor: int) -> None:
    common = pytest.importorskip("spynnaker.pyNN.models.common.local_only_2d_common")
    numbers = np.arange(4000)
    np.testing.assert_array_equal(divide(numbers, common.get_div_const(divisor)), numbers // divisor)


@pytest.mark.parametrize(
    ("field", "words"),
    [("weight", "1 of 3 weights differ"), ("receptor", "1 synapse(s) missing"), ("delay", "1 synapse(s) not wanted")],
)
def test_one_synapse_that_differs_is_named(field: str, words: str) -> None:
    found = synapses(image())["pre", "post"]
    changed = getattr(found, field).copy()
    changed[0] ^= 1
    problems = "; ".join(
        synapse_differences({("a", "b"): found}, {("a", "b"): dataclasses.replace(found, **{field: changed})})
    )
    assert problems.startswith("a -> b: ") and words in problems


def test_synapses_without_weight_do_not_count() -> None:
    found = synapses(image())["pre", "post"]
    silent = dataclasses.replace(found, weight=np.zeros_like(found.weight))
    assert synapse_differences({("a", "b"): silent}, {}) == []


def test_every_layer_has_its_colour_and_a_bias_a_pale_one() -> None:
    colours = layer_colours(("input", "hidden", "hidden_bias", "out"))
    assert list(colours) == ["input", "hidden", "hidden_bias", "out"]
    assert len(set(colours.values())) == 4
    many = layer_colours(tuple(f"layer{k}" for k in range(30)))
    assert len(set(many.values())) == 30


@pytest.mark.draws
def test_the_same_placement_is_the_same_picture() -> None:
    assert placement_plot(image()) == placement_plot(image())
    assert "3 of them run the network, on 1 of 2 chips" in placement_plot(image()).caption
