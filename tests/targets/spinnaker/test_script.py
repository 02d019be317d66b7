"""The written files by themselves: what the script imports, how it reads, other checkpoints, mistakes of its user."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import nir
import numpy as np
import pytest
import torch

from lightning_neuro.checkpoint import PackedInputs, load_record, to_plain
from lightning_neuro.data.spike_set import SpikeSet
from lightning_neuro.graph.calibrate import quantize_network
from lightning_neuro.graph.hardware_graph import ReadoutKind
from lightning_neuro.graph.lower import lower
from lightning_neuro.graph.metadata import Metadata
from lightning_neuro.graph.widths import QuantizeSpec
from lightning_neuro.targets.spinnaker.artefact import weight_arrays, write_artefact
from lightning_neuro.targets.spinnaker.plan import plan_network
from tests.depth import thorough
from tests.targets.spinnaker import cases
from tests.targets.spinnaker.cases import ZERO

ALLOWED = {"numpy", "pyNN"}  # beside the standard library, for everything but a checkpoint or a picture
OPTIONAL = {"torch", "matplotlib"}


@pytest.fixture(scope="module")
def artefact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cases.written(cases.convolutional(alpha=0.6, bias=0.02), tmp_path_factory.mktemp("artefact"))


def imported(tree: ast.AST) -> set[str]:
    """Top-level names of every module that is imported anywhere."""
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    return {name.split(".")[0] for name in names}


def test_the_script_needs_numpy_and_pynn_alone(artefact: Path) -> None:
    tree = ast.parse((artefact / "network.py").read_text())
    assert imported(tree) - set(sys.stdlib_module_names) <= ALLOWED | OPTIONAL
    at_start = {name for node in tree.body for name in imported(node) if isinstance(node, ast.Import | ast.ImportFrom)}
    assert at_start - set(sys.stdlib_module_names) == {"numpy"}


def test_the_script_has_a_block_for_every_layer_and_no_weights(artefact: Path) -> None:
    text = (artefact / "network.py").read_text()
    for population in cases.convolutional().populations:
        name, shape = population.name, population.shape
        assert f"    # -- {name}: " in text
        assert f'    {name} = net.layer(\n        "{name}",\n        shape={shape},' in text
    assert max(len(line) for line in text.splitlines()) <= 120
    constants = [node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant)]
    assert sum(isinstance(value, float) for value in constants) < 60


def test_the_same_network_gives_the_same_script(artefact: Path, tmp_path: Path) -> None:
    again = cases.written(cases.convolutional(alpha=0.6, bias=0.02), tmp_path)
    assert (again / "network.py").read_text() == (artefact / "network.py").read_text()


def test_the_test_set_holds_every_layer(artefact: Path) -> None:
    with np.load(artefact / "testset.npz") as arrays:
        assert set(arrays) == {"spikes", "labels", "expected.first", "expected.second", "expected.out"}
        assert arrays["spikes"].shape == (4, cases.STEPS, 42) and arrays["expected.first"].dtype == np.uint8
    assert {"network.py", "weights.npz", "testset.npz", "spynnaker.cfg", "manifest.json", "README.md"} == {
        path.name for path in artefact.iterdir()
    }


def run(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, folder / "network.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd="/", timeout=120)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--input", "/nowhere.npz"), "cannot be read"),
        (("nowhere.ckpt",), "nowhere.ckpt cannot be used"),
        (("nowhere.ckpt", "--check"), "leave it out"),
        (("--backend", "moon"), "invalid choice"),
    ],
)
def test_mistakes_are_told_in_one_message(artefact: Path, arguments: tuple[str, ...], words: str) -> None:
    done = run(artefact, *arguments)
    assert done.returncode != 0 and words in done.stderr and "Traceback" not in done.stderr


@pytest.mark.skipif(find_spec("spynnaker") is None, reason="pip install sPyNNaker")
def test_it_maps_in_its_own_folder_where_its_settings_for_a_board_lie(tmp_path: Path) -> None:
    folder = cases.written(cases.chain(hidden={}), tmp_path)
    command = [sys.executable, "network.py", "--virtual"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=120)
    assert done.returncode == 0 and "a virtual board runs nothing" in done.stdout, done.stderr[-500:]


# -- other checkpoints -------------------------------------------------------------------------------------------

METADATA = Metadata(
    dt_s=1e-3,
    readout=ReadoutKind.SPIKE_COUNT,
    resets={"hidden": ZERO, "output": ZERO},
    steps=cases.STEPS,
    coding={"kind": "rate"},
)
SPEC = QuantizeSpec(weight_bits=6, state_bits=14, leak_bits=8)


def trained(seed: int, hidden: int = 12) -> nir.NIRGraph:
    """A network with biases and currents; the seed makes its weights and time constants."""
    rng = np.random.default_rng(seed)

    def cuba(n: int) -> nir.CubaLIF:
        tau = rng.uniform(3e-3, 2e-2, (2, n))
        common = {"r": np.ones(n), "v_leak": np.zeros(n), "v_threshold": np.full(n, 0.4), "v_reset": np.zeros(n)}
        return nir.CubaLIF(tau_syn=tau[0], tau_mem=tau[1], w_in=np.ones(n), **common)

    def affine(post: int, pre: int) -> nir.Affine:
        return nir.Affine(weight=rng.normal(4.0, 12.0, (post, pre)), bias=rng.uniform(-1, 3, post))

    nodes = {
        "input": nir.Input({"input": np.array([8])}),
        "fc1": affine(hidden, 8),
        "hidden": cuba(hidden),
        "fc2": affine(4, hidden),
        "output": cuba(4),
        "end": nir.Output({"output": np.array([4])}),
    }
    names = list(nodes)
    return nir.NIRGraph(nodes=nodes, edges=list(pairwise(names)))


def checkpoint(network: nir.NIRGraph, path: Path, *, quantized: bool = True, metadata: Metadata = METADATA) -> Path:
    rng = np.random.default_rng(0)
    inputs = SpikeSet(spikes=(rng.random((5, cases.STEPS, 8)) < 0.3).astype(np.uint8), labels=np.arange(5) % 4)
    packed = PackedInputs(evaluation=inputs.pack(), calibration=inputs.pack(), coding={"kind": "rate"})
    stored = quantize_network(lower(network, metadata), SPEC, None)[1] if quantized else None
    torch.save({"lightning_neuro": to_plain(network, metadata, packed, stored)}, path)
    return path


def deployed(path: Path, folder: Path) -> tuple[Path, dict[str, np.ndarray]]:
    """The artefact of a checkpoint and the arrays it runs with."""
    record = load_record(path)
    assert record.quantized is not None and record.evaluation is not None
    graph = record.quantized.apply(lower(record.graph, record.metadata))
    vectors = cases.draw_vectors(graph)
    folder.mkdir()
    write_artefact(plan_network(graph), folder, vectors, record)
    return folder, weight_arrays(plan_network(graph))


def test_another_checkpoint_gives_the_arrays_that_its_deployment_writes(tmp_path: Path) -> None:
    first, second = (checkpoint(trained(seed), tmp_path / f"{seed}.ckpt") for seed in (1, 2))
    folder, _ = deployed(first, tmp_path / "first")
    _, expected = deployed(second, tmp_path / "second")
    script = cases.script_of(folder)
    found = script.weights_of_checkpoint(second, json.loads((folder / "manifest.json").read_text()))
    assert expected.keys() <= found.keys() and any(key.endswith("bias") for key in expected)
    for key, values in expected.items():
        assert np.array_equal(found[key], values), key


@cases.needs_nest
@thorough  # the test before compares the arrays
def test_another_checkpoint_runs_as_its_deployment_does(tmp_path: Path) -> None:
    first, second = (checkpoint(trained(seed), tmp_path / f"{seed}.ckpt") for seed in (1, 2))
    one, two = (deployed(path, tmp_path / path.stem)[0] for path in (first, second))
    borrowed = run(one, second, "--input", two / "testset.npz", "--save", tmp_path / "borrowed.npz")
    own = run(two, "--check", "--save", tmp_path / "own.npz")
    assert borrowed.returncode == 0, borrowed.stderr
    assert own.returncode == 0, own.stderr + own.stdout
    with np.load(tmp_path / "borrowed.npz") as a, np.load(tmp_path / "own.npz") as b:
        assert set(a) == set(b) and all(np.array_equal(a[key], b[key]) for key in a)
        assert a["hidden"].any() and a["output"].any()


def test_a_checkpoint_with_another_network_is_refused(tmp_path: Path) -> None:
    folder, _ = deployed(checkpoint(trained(1), tmp_path / "1.ckpt"), tmp_path / "first")
    wider = checkpoint(trained(2, hidden=13), tmp_path / "wider.ckpt")
    slower = checkpoint(trained(2), tmp_path / "slower.ckpt", metadata=METADATA.__class__(
        dt_s=5e-4, readout=METADATA.readout, resets=METADATA.resets, steps=METADATA.steps, coding=METADATA.coding
    ))  # fmt: skip
    unrounded = checkpoint(trained(2), tmp_path / "unrounded.ckpt", quantized=False)
    torch.save({"state_dict": {}}, tmp_path / "foreign.ckpt")
    (tmp_path / "text.ckpt").write_text("hello")
    script, manifest = cases.script_of(folder), json.loads((folder / "manifest.json").read_text())
    for path, words in (
        (wider, "another network .network "),
        (slower, "another network .dt "),
        (unrounded, "no quantised network"),
        (tmp_path / "foreign.ckpt", "no quantised network"),
    ):
        with pytest.raises(ValueError, match=words):
            script.weights_of_checkpoint(path, manifest)
    done = run(folder, tmp_path / "text.ckpt")
    assert done.returncode == 1 and "cannot be used" in done.stderr and "Traceback" not in done.stderr


def test_a_checkpoint_runs_no_code(tmp_path: Path) -> None:
    folder, _ = deployed(checkpoint(trained(1), tmp_path / "1.ckpt"), tmp_path / "first")
    torch.save({"lightning_neuro": Path("x")}, tmp_path / "unsafe.ckpt")
    done = run(folder, tmp_path / "unsafe.ckpt")
    assert done.returncode == 1 and "unsafe.ckpt cannot be used" in done.stderr
