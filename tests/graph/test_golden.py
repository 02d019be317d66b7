from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from lightning_neuro.errors import GraphError
from lightning_neuro.graph import golden
from lightning_neuro.graph.fixed import Format
from lightning_neuro.graph.hardware_graph import CubaLif, Leak, ReadoutKind, ResetKind, Values
from lightning_neuro.graph.kernels import RESET_CODES, resume_integers, resume_reals
from tests.graph.networks import chain, quantized_chain, spikes
from tests.graph.reference import Case, step_through

VECTORS = Path(__file__).parent.parent / "golden" / "step_vectors.json"
RESETS = [("none", 0), ("zero", 0), ("zero", 1), ("subtract", 0), ("subtract", 1), ("clamp", 1), ("once", 0)]


def make_vectors() -> list[dict]:
    rng = np.random.default_rng(2024)
    vectors = []
    for kind, delay in RESETS:
        for current_based in (False, True):
            for syn, mem in (((1, 2), (1, 3)), ((77, 8), (13, 7))):
                case = Case(
                    current_based=current_based, syn=syn, mem=mem, threshold=20, v_reset=-3, kind=kind, delay=delay,
                    low=-64, high=63,
                )  # fmt: skip
                drive = [int(x) for x in rng.integers(-25, 40, 24)]
                fired, membrane = step_through(case, drive)
                vectors.append(
                    {"case": dataclasses.asdict(case), "drive": drive, "spikes": fired, "membrane": membrane}
                )
    return vectors


def test_the_shared_vectors_are_what_plain_python_computes(request: pytest.FixtureRequest) -> None:
    made = json.loads(json.dumps(make_vectors()))
    if request.config.getoption("--regenerate"):
        VECTORS.parent.mkdir(exist_ok=True)
        VECTORS.write_text(json.dumps(made, indent=None).replace('{"case"', '\n{"case"') + "\n")
    assert json.loads(VECTORS.read_text()) == made
    assert all(any(v["spikes"]) for v in made if v["case"]["kind"] != "none")


def rest(kind: type) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Membrane, current and last spike of one neuron in one sample, all zero."""
    return np.zeros((1, 1), kind), np.zeros((1, 1), kind), np.zeros((1, 1), np.uint8)


@pytest.mark.parametrize("vector", json.loads(VECTORS.read_text()) if VECTORS.exists() else [])
def test_integer_kernel_repeats_the_shared_vectors(vector: dict) -> None:
    case, drive = vector["case"], np.array(vector["drive"], np.int64)[None, :, None]
    fired, membrane = np.empty(drive.shape, np.uint8), np.empty(drive.shape, np.int64)
    one = lambda value: np.array([value], np.int64)  # noqa: E731
    resume_integers(
        drive, case["current_based"], one(case["syn"][0]), case["syn"][1], one(case["mem"][0]), case["mem"][1],
        one(case["threshold"]), one(case["v_reset"]), RESET_CODES[ResetKind(case["kind"])], case["delay"],
        0, 0, 99, case["low"], case["high"], *rest(np.int64), fired, membrane,
    )  # fmt: skip
    assert fired.ravel().tolist() == vector["spikes"]
    assert membrane.ravel().tolist() == vector["membrane"]


@pytest.mark.parametrize(("kind", "delay"), RESETS)
@pytest.mark.parametrize("current_based", [False, True])
def test_real_kernel_equals_plain_python(kind: str, delay: int, current_based: bool) -> None:
    rng = np.random.default_rng(7)
    drive = rng.normal(0.2, 0.5, 40)
    case = Case(current_based=current_based, syn=0.8, mem=0.9, threshold=1.0, v_reset=0.1, kind=kind, delay=delay)
    expected_spikes, expected = step_through(case, drive.tolist())
    fired, membrane, margin = (np.empty((1, 40, 1), t) for t in (np.uint8, np.float64, np.float64))
    one = lambda value: np.array([value], np.float64)  # noqa: E731
    resume_reals(
        drive[None, :, None], current_based, one(0.8), one(0.9), one(1.0), one(0.1), RESET_CODES[ResetKind(kind)],
        delay, 0, 0, 99, *rest(np.float64), fired, membrane, margin,
    )  # fmt: skip
    assert fired.ravel().tolist() == expected_spikes
    np.testing.assert_allclose(membrane.ravel(), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("scale", [1, 2**19, 2**45])
def test_matrix_product_is_exact_at_every_size_of_weight(scale: int) -> None:
    rng = np.random.default_rng(0)
    weight = rng.integers(-40, 40, (5, 300)) * scale + 1
    raster = spikes(3, 4, 300, rate=0.9)
    exact = np.array([[[sum(int(w) for w, s in zip(row, step, strict=True) if s) for row in weight] for step in sample]
                      for sample in raster])  # fmt: skip
    assert (golden.exact_matmul(raster, weight) == exact).all()


def test_chunks_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    graph, raster = quantized_chain([12, 9, 4]), spikes(11, 16, 12)
    whole = golden.run(graph, raster, arithmetic="fixed", record=True)
    monkeypatch.setattr(golden, "_CHUNK_VALUES", 400)
    pieces = golden.run(graph, raster, arithmetic="fixed", record=True)
    assert whole.spikes["layer1"].any()
    for name in whole.spikes:
        assert (whole.spikes[name] == pieces.spikes[name]).all()
        assert (whole.membrane[name] == pieces.membrane[name]).all()
    assert (whole.scores == pieces.scores).all()


def test_progress_counts_every_sample() -> None:
    seen: list[int] = []
    golden.run(quantized_chain([5, 3]), spikes(7, 16, 5), arithmetic="fixed", progress=seen.append)
    assert sum(seen) == 7


def test_no_samples_give_empty_scores() -> None:
    assert golden.run(quantized_chain([5, 3]), spikes(0, 16, 5), arithmetic="fixed").scores.shape == (0, 3)


def test_membrane_saturates_at_its_width() -> None:
    graph = quantized_chain([6, 4], kind=ResetKind.NONE, state_bits=6, readout=ReadoutKind.MEMBRANE_LAST)
    population = graph.populations[0]
    narrow = dataclasses.replace(population, state_format=Format(bits=4, lsb=population.state_format.lsb))
    graph = dataclasses.replace(graph, populations=(narrow,))
    membrane = golden.run(graph, spikes(20, 30, 6), arithmetic="fixed", record=True).membrane["layer1"]
    assert (membrane.min(), membrane.max()) == (-8, 7)


def test_a_delayed_projection_shifts_the_raster() -> None:
    graph = chain([6, 5])
    late = dataclasses.replace(graph, projections=(dataclasses.replace(graph.projections[0], delay=2),))
    raster = spikes(4, 16, 6)
    plain = golden.run(graph, raster, arithmetic="real", record=True).spikes["layer1"]
    shifted = golden.run(late, raster, arithmetic="real", record=True).spikes["layer1"]
    assert not shifted[:, :2].any() and plain.any()
    assert (shifted[:, 2:] == plain[:, :-2]).all()


def test_readouts_score_as_they_say() -> None:
    raster = np.array([[[0, 1], [1, 0], [1, 0]]], np.uint8)
    membrane = np.array([[[3.0, 1.0], [2.0, 5.0], [-1.0, 4.0]]])
    scores = {kind.value: golden.read_out(kind, raster, membrane).tolist() for kind in ReadoutKind}
    assert scores == {
        "spike_count": [[2, 1]],
        "first_spike": [[2, 3]],
        "membrane_max": [[3.0, 5.0]],
        "membrane_last": [[-1.0, 4.0]],
    }


def test_current_based_neurons_never_overflow_their_stated_width() -> None:
    graph = quantized_chain([20, 8], alpha=0.97, weight_bits=8, state_bits=12)
    neuron = graph.populations[0].neuron
    assert isinstance(neuron, CubaLif) and neuron.current_format is not None
    weight = graph.projections[0].connection.weight.integers()
    shift = golden.weight_shift(graph.projections[0], graph.populations[0], graph.input)
    multiplier, d = neuron.leak_syn.integers()
    for sign in (1, -1):
        best = ((sign * weight > 0) * weight).sum(axis=1) << shift
        current = np.zeros(8, np.int64)
        for _ in range(2000):
            current = current - ((current * multiplier) >> d) + best
        assert (np.abs(current) <= neuron.current_format.high).all()


def test_wrong_raster_unquantised_graph_and_analog_input_are_refused() -> None:
    quantized, real = quantized_chain([5, 3]), chain([5, 3])
    for graph, raster, arithmetic, message in (
        (quantized, spikes(2, 16, 4), "fixed", "shape"),
        (real, spikes(2, 16, 5), "fixed", "not quantised"),
        (quantized, np.full((1, 3, 5), 0.5, np.float32), "fixed", "other than 0 and 1"),
    ):
        with pytest.raises(GraphError, match=message):
            golden.run(graph, raster, arithmetic=arithmetic)  # type: ignore[arg-type]


def test_populations_out_of_order_are_refused() -> None:
    graph = chain([5, 4, 3])
    backwards = dataclasses.replace(graph, populations=graph.populations[::-1])
    with pytest.raises(GraphError, match="comes after it"):
        golden.run(backwards, spikes(1, 4, 5), arithmetic="real")


def test_graph_arrays_cannot_be_written() -> None:
    values, leak = Values(real=np.ones(3)), Leak(beta=np.ones(3))
    for array in (values.real, leak.beta):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 2.0


def test_known_rasters_are_not_computed_again() -> None:
    graph, raster = quantized_chain([12, 9, 7, 4]), spikes(11, 16, 12)
    whole = golden.run(graph, raster, arithmetic="fixed", record=True)
    known = {"layer1": whole.spikes["layer1"], "layer2": 1 - whole.spikes["layer2"]}
    behind = golden.run(graph, raster, arithmetic="fixed", record=True, known={"layer1": known["layer1"]})
    assert (behind.spikes["layer3"] == whole.spikes["layer3"]).all() and "layer1" not in behind.membrane
    other = golden.run(graph, raster, arithmetic="fixed", record=True, known=known)
    assert (other.spikes["layer3"] != whole.spikes["layer3"]).any()
