from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import nir
import numpy as np
import pytest

from lightning_neuro.errors import NirError
from lightning_neuro.graph import golden
from lightning_neuro.graph.hardware_graph import HardwareGraph, ReadoutKind, ResetKind
from lightning_neuro.graph.lower import lower
from lightning_neuro.graph.nir_file import read_nir
from tests.graph.networks import spikes


def write(path: Path, nodes: dict[str, nir.NIRNode], edges: list[tuple[str, str]] | None = None) -> Path:
    names = list(nodes)
    graph = nir.NIRGraph(nodes=nodes, edges=edges or list(pairwise(names)), type_check=False)
    nir.write(path, graph)
    return path


def lif(n: int, **more: float) -> nir.LIF:
    values = {"tau": 0.01, "r": 1.0, "v_leak": 0.0, "v_threshold": 1.0, "v_reset": 0.0, **more}
    return nir.LIF(**{name: np.full(n, value) for name, value in values.items()})


def nodes(neuron: nir.NIRNode | None = None, weight: np.ndarray | None = None) -> dict[str, nir.NIRNode]:
    return {
        "input": nir.Input(np.array([4])),
        "fc": nir.Linear(np.full((3, 4), 0.5) if weight is None else weight),
        "lif": neuron or lif(3),
        "output": nir.Output(np.array([3])),
    }


def lowered(path: Path, dt_s: float | None = 1e-3) -> HardwareGraph:
    return lower(*read_nir(path, dt_s=dt_s))


def test_a_foreign_file_needs_dt_and_says_how_to_choose_it(tmp_path: Path) -> None:
    path = write(tmp_path / "x.nir", nodes())
    with pytest.raises(NirError, match="does not say its time step") as caught:
        read_nir(path, dt_s=None)
    assert "dt=0.001" in caught.value.next_command and "0.01 s" in caught.value.why


def test_a_foreign_file_states_every_assumption(tmp_path: Path) -> None:
    _, metadata = read_nir(write(tmp_path / "x.nir", nodes()), dt_s=1e-3)
    assert metadata.resets["lif"].kind is ResetKind.ZERO and metadata.readout is ReadoutKind.SPIKE_COUNT
    text = " ".join(metadata.assumptions)
    assert all(word in text for word in ("resets", "read-out", "0.001 s"))


def test_r_and_tau_become_gain_and_decay(tmp_path: Path) -> None:
    graph = lowered(write(tmp_path / "x.nir", nodes(lif(3, r=3.0))))
    np.testing.assert_allclose(graph.projections[0].connection.weight.real, 0.5 * 3.0 * 0.1)
    np.testing.assert_allclose(graph.populations[0].neuron.leak_mem.beta, 0.9)


def test_w_in_and_both_time_constants_are_honoured(tmp_path: Path) -> None:
    constants = {
        "tau_syn": 4e-3,
        "tau_mem": 1e-2,
        "r": 2.0,
        "v_leak": 0.0,
        "v_threshold": 1.0,
        "v_reset": 0.0,
        "w_in": 3.0,
    }
    node = nir.CubaLIF(**{name: np.full(3, value) for name, value in constants.items()})
    graph = lowered(write(tmp_path / "x.nir", nodes(node)))
    np.testing.assert_allclose(graph.projections[0].connection.weight.real, 0.5 * 3.0 * 0.25 * 2.0 * 0.1)


def test_v_leak_moves_threshold_and_reset(tmp_path: Path) -> None:
    neuron = lowered(write(tmp_path / "x.nir", nodes(lif(3, v_leak=0.4, v_reset=0.1)))).populations[0].neuron
    np.testing.assert_allclose(neuron.threshold.real, 0.6)
    np.testing.assert_allclose(neuron.v_reset.real, -0.3)


def test_chains_of_linear_maps_fold_into_one(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    first, second, bias = rng.normal(size=(5, 4)), rng.normal(size=(3, 5)), rng.normal(size=5)
    chain = {
        "input": nir.Input(np.array([4])),
        "a": nir.Affine(first, bias),
        "s": nir.Scale(np.full(5, 2.0)),
        "b": nir.Linear(second),
        "lif": lif(3, r=10.0),
        "output": nir.Output(np.array([3])),
    }
    graph = lowered(write(tmp_path / "x.nir", chain))
    np.testing.assert_allclose(graph.projections[0].connection.weight.real, second @ (2 * first))
    np.testing.assert_allclose(graph.populations[0].bias.real, second @ (2 * bias))


def test_paths_that_join_are_summed(tmp_path: Path) -> None:
    more = {**nodes(lif(3, r=10.0)), "fc2": nir.Linear(np.ones((3, 4)))}
    edges = [("input", "fc"), ("input", "fc2"), ("fc", "lif"), ("fc2", "lif"), ("lif", "output")]
    graph = lowered(write(tmp_path / "x.nir", more, edges))
    np.testing.assert_allclose(graph.projections[0].connection.weight.real, 1.5)


def test_a_skip_connection_makes_a_second_projection(tmp_path: Path) -> None:
    more = {
        **nodes(),
        "fc2": nir.Linear(np.ones((2, 3))),
        "skip": nir.Linear(np.ones((2, 4))),
        "last": lif(2),
    }
    more["output"] = nir.Output(np.array([2]))
    edges = [
        ("input", "fc"),
        ("fc", "lif"),
        ("lif", "fc2"),
        ("fc2", "last"),
        ("input", "skip"),
        ("skip", "last"),
        ("last", "output"),
    ]
    graph = lowered(write(tmp_path / "x.nir", more, edges))
    assert {p.name for p in graph.projections} == {"input -> lif", "lif -> last", "input -> last"}
    golden.run(graph, spikes(2, 5, 4), arithmetic="real")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda n: n | {"lif": lif(3, tau=1e-5)}, "longer than the time constant"),
        (lambda n: n | {"lif": lif(3, tau=-1.0)}, "longer than the time constant"),
        (lambda n: n | {"fc": nir.Linear(np.full((3, 4), np.nan))}, r"NaN or infinite values in fc\.weight"),
        (lambda n: n | {"lif": lif(3, v_threshold=float("inf"))}, r"lif\.v_threshold"),
        (lambda n: n | {"lif": lif(5)}, "3 values arrive where 5"),
        (lambda n: n | {"fc": nir.Linear(np.ones((3, 6)))}, "4 values arrive where 6"),
        (lambda n: n | {"lif": nir.Delay(np.ones(3))}, "no neurons"),
        (lambda n: {k: v for k, v in n.items() if k != "lif"}, "no neurons"),
    ],
)
def test_what_cannot_be_lowered_is_refused_by_name(tmp_path: Path, change, message: str) -> None:
    changed = change(nodes())
    graph = nir.NIRGraph(nodes=changed, edges=list(zip(changed, list(changed)[1:], strict=False)), type_check=False)
    _, metadata = read_nir(write(tmp_path / "ok.nir", nodes()), dt_s=1e-3)
    with pytest.raises(NirError, match=message):
        lower(graph, metadata)


@pytest.mark.parametrize("body", [None, b"", b"junk" * 100])
def test_unreadable_files_are_refused(tmp_path: Path, body: bytes | None) -> None:
    path = tmp_path / "x.nir"
    if body is not None:
        path.write_bytes(body)
    with pytest.raises(NirError) as caught:
        read_nir(path, dt_s=1e-3)
    assert str(path) in caught.value.where


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "x.nir", nodes())
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(NirError, match="not a readable NIR graph"):
        read_nir(path, dt_s=1e-3)


def test_the_lif_of_the_nir_paper_is_reproduced(shared_data: Path) -> None:
    """1000 steps at dt 1e-4: Norse's recording in the NIR paper (Pedersen et al. 2024, task 1)."""
    recorded = np.loadtxt(shared_data / "nir" / "lif_norse.csv", delimiter=",", skiprows=0)
    graph = lowered(shared_data / "nir" / "lif_norse.nir", 1e-4)
    run = golden.run(graph, recorded[None, :, :1], arithmetic="real", record=True)
    name = graph.output
    assert (run.spikes[name][0, :, 0] == recorded[:, 2]).all() and recorded[:, 2].sum() == 4
    assert np.abs(run.membrane[name][0, :, 0] - recorded[:, 1]).max() < 1e-6
