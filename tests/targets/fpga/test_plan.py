import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_neuro.graph.fixed import Format
from lightning_neuro.graph.hardware_graph import Dense, HardwareGraph, LateBias, Projection, Values
from lightning_neuro.targets.fpga.lanes import LayerSize, choose_lanes, cycles_per_step, resolve_lanes
from lightning_neuro.targets.fpga.package import literal, memory_words, network_package
from lightning_neuro.targets.fpga.plan import Bias, Synapses, biases_of, step_range, sum_bits
from tests.targets.fpga.conftest import recurrent, target

MNIST = [LayerSize(inputs=784, neurons=128, activity=0.125), LayerSize(inputs=128, neurons=10, activity=0.25)]


def test_auto_gives_the_slowest_layer_all_lanes_and_the_others_what_keeps_pace() -> None:
    first, second = choose_lanes(MNIST)
    assert first == 128
    assert cycles_per_step(MNIST[1], second) <= cycles_per_step(MNIST[0], first) < cycles_per_step(MNIST[1], second - 1)


def test_auto_never_exceeds_the_most_lanes() -> None:
    assert choose_lanes([LayerSize(inputs=10, neurons=1000, activity=0.1)], most=64) == (
        63,
    )  # 63 lanes take 16 turns, as 64 do


@pytest.mark.parametrize(("lanes", "expected"), [(4, (4, 4)), (64, (64, 10)), ([8, 1], (8, 1))])
def test_lanes_as_asked(lanes: int | list[int], expected: tuple[int, int]) -> None:
    assert resolve_lanes(lanes, MNIST) == expected


@given(
    st.lists(st.integers(-900, 900), min_size=1, max_size=4),
    st.lists(st.integers(-900, 900), min_size=1, max_size=4),
    st.integers(4, 8),
)
def test_sum_width_holds_the_extremes_and_is_the_narrowest(low: list[int], high: list[int], bits: int) -> None:
    state = Format(bits=bits, lsb=1.0)
    lowest, highest = np.minimum(low, 0), np.maximum(high, 0)
    width = sum_bits(lowest, highest, state, None)
    ends = (state.low + lowest.min(), state.high + highest.max())
    holds, narrower = Format(bits=width, lsb=1.0), Format(bits=width - 1, lsb=1.0)
    assert holds.low <= ends[0] and ends[1] <= holds.high
    assert width == bits + 1 or ends[0] < narrower.low or ends[1] > narrower.high


def test_a_step_adds_at_most_its_weights_its_largest_numbers_and_the_biases_of_that_step() -> None:
    raw = np.array([[3, -4, 2]])
    weight = Values(real=raw.astype(float), raw=raw, format=Format(bits=4, lsb=1.0))
    into = Synapses(forward=Projection(pre="a", post="b", connection=Dense(weight=weight), delay=0), own=None)
    biases = [Bias(values=np.array([7]), onset=0, end=2), Bias(values=np.array([-9]), onset=2, end=0)]
    assert [v.tolist() for v in step_range(into, None, 1, biases)] == [[-8 - 9], [10 + 7]]
    assert [v.tolist() for v in step_range(into, Format(bits=3, lsb=1.0), 0, [])] == [[5 * -4 - 4 * 3], [5 * 3 + 4 * 4]]


def test_biases_of_the_same_steps_are_one_and_zeros_are_none(small_graph: HardwareGraph) -> None:
    def late(value: int, onset: int, until: int | None) -> LateBias:
        raw = np.full(6, value)
        return LateBias(values=Values(real=raw * 0.25, raw=raw), onset=onset, until=until)

    first = dataclasses.replace(
        small_graph.populations[0], late_biases=(late(2, 1, 4), late(3, 1, 4), late(0, 2, None))
    )
    (bias,) = biases_of(first)
    assert (bias.values.tolist(), bias.onset, bias.end) == ([5] * 6, 1, 4)
    assert [bias.counts(step) for step in range(6)] == [False, True, True, True, False, False]


def test_memory_word_is_group_times_rows_plus_row_with_lane_0_rightmost(small_graph: HardwareGraph) -> None:
    layer = target(lanes=(4, 3)).plan(small_graph)[0]
    words = memory_words(layer)
    assert len(words) == 2 * 5 and len(words[0]) == 4 * 4
    group, row, lane = 1, 3, 1
    field = words[group * 5 + row][16 - 4 * (lane + 1) : 16 - 4 * lane]
    assert int(field, 2) == layer.rows[row, group * 4 + lane] % 16
    assert words[5][:8] == "0" * 8  # neurons 6 and 7 do not exist


def test_rows_are_inputs_then_own_spikes(small_graph: HardwareGraph) -> None:
    graph = recurrent(small_graph)
    layer = target(lanes=(4, 3)).plan(graph)[0]
    assert (layer.inputs, layer.feedback_rows) == (5, 6)
    forward, own = graph.projections[0].connection.weight, graph.projections[-1].connection.weight
    assert layer.rows.T.tolist() == np.hstack([forward.integers(), own.integers()]).tolist()


def test_sum_width_counts_recurrent_weights_and_late_bias(small_graph: HardwareGraph) -> None:
    plain, graph = target(lanes=1).plan(small_graph)[0], recurrent(small_graph)
    looped = target(lanes=1).plan(graph)[0]
    highest = 127 + np.maximum(looped.rows, 0).sum(axis=0).max()
    assert plain.sum_bits == 9 and looped.sum_bits == int(highest).bit_length() + 1
    raw = np.full(6, 1000)
    late = LateBias(values=Values(real=raw * 0.25, raw=raw, format=Format(bits=32, lsb=0.25)), onset=1, until=None)
    first, *rest = graph.populations
    biased = dataclasses.replace(graph, populations=(dataclasses.replace(first, late_biases=(late,)), *rest))
    assert target(lanes=1).plan(biased)[0].sum_bits == int(highest + 1000).bit_length() + 1


def test_own_spikes_of_a_recurrent_layer_count_as_events() -> None:
    assert LayerSize(inputs=80, neurons=40, activity=0.125).events == 10
    assert LayerSize(inputs=80, neurons=40, activity=0.125, recurrent=True).events == 20


@given(st.text("01", min_size=1, max_size=600))
def test_literal_keeps_every_bit_in_short_pieces(bits: str) -> None:
    parts = literal(bits).split(" & ")
    widths = [len(part) - 2 if part[0] == '"' else 4 * (len(part) - 3) for part in parts]
    digits = "".join(p.strip('"') if p[0] == '"' else f"{int(p[2:-1], 16):0{4 * (len(p) - 3)}b}" for p in parts)
    assert digits == bits and max(widths) <= 128


def test_package_equals_its_golden_file(small_graph: HardwareGraph, request: pytest.FixtureRequest) -> None:
    golden = request.path.parent / "golden" / "network_pkg.vhd"
    text = network_package(target(lanes=(4, 3)).plan(small_graph))
    if request.config.getoption("--regenerate"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(text)
    assert text == golden.read_text()


@pytest.mark.parametrize(("steps", "samples"), [(None, 20), (16, 20), (409, 10), (1024, 4), (100_000, 4)])
def test_long_samples_are_fewer_unless_a_number_is_named(
    small_graph: HardwareGraph, steps: int | None, samples: int
) -> None:
    assert target().default_samples(dataclasses.replace(small_graph, steps=steps)) == samples
