"""What a new target costs: a folder with the target, a YAML that names it, and this test. Nothing else changes.

The target lies in ``toy_distribution``, as pip would install it: a package and the ``.dist-info`` that announces its
configurations in the group of entry points ``lightning_neuro.conf``.
"""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import nir
import numpy as np
import pytest
import torch

from lightning_neuro import cli
from lightning_neuro.checkpoint import KEY, InputSets, PackedInputs, to_plain
from lightning_neuro.data.spike_set import SpikeSet
from lightning_neuro.graph.calibrate import quantize_network
from lightning_neuro.graph.hardware_graph import ReadoutKind, Reset, ResetKind
from lightning_neuro.graph.lower import lower
from lightning_neuro.graph.metadata import Metadata
from lightning_neuro.graph.widths import DEFAULT_SPEC
from tests.graph.networks import spikes

DISTRIBUTION = Path(__file__).parent / "toy_distribution"


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The toy target as an installed package."""
    monkeypatch.syspath_prepend(str(DISTRIBUTION))


def _layer(size: int) -> nir.LIF:
    tau = np.full(size, 8e-3)
    return nir.LIF(
        tau=tau, r=tau / 1e-3, v_leak=np.zeros(size), v_threshold=np.ones(size), v_reset=np.full(size, -0.25)
    )


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """12-8-4: the hidden layer resets to a value, the last one by subtraction."""
    rng = np.random.default_rng(0)
    nodes = {
        "input": nir.Input(np.array([12])),
        "fc1": nir.Affine(rng.normal(0, 0.5, (8, 12)), rng.normal(0, 0.1, 8)),
        "lif1": _layer(8),
        "fc2": nir.Linear(rng.normal(0, 0.7, (4, 8))),
        "lif2": _layer(4),
        "output": nir.Output(np.array([4])),
    }
    names = list(nodes)
    graph = nir.NIRGraph(nodes=nodes, edges=list(pairwise(names)))
    zero, subtract = (Reset(kind=kind, delay=0) for kind in (ResetKind.ZERO, ResetKind.SUBTRACT))
    metadata = Metadata(
        dt_s=1e-3,
        readout=ReadoutKind.SPIKE_COUNT,
        resets={"lif1": zero, "lif2": subtract},
        steps=11,
        coding={},
        assumptions=(),
        tool="test",
    )
    inputs = SpikeSet(spikes=spikes(20, 11, 12), labels=np.arange(20, dtype=np.int64) % 4)
    packed = PackedInputs.of(InputSets(evaluation=inputs, calibration=inputs, coding={}))
    _, stored = quantize_network(lower(graph, metadata), DEFAULT_SPEC, inputs)
    path = tmp_path / "best.ckpt"
    torch.save({"state_dict": {}, KEY: to_plain(graph, metadata, packed, stored)}, path)
    return path


def deploy(*arguments: str) -> int:
    """Run the command ``deploy``; its exit code."""
    with pytest.raises(SystemExit) as left:
        cli.deploy_main(arguments)
    return int(str(left.value.code))


def test_an_installed_target_is_deployed_to_by_name(installed: None, checkpoint: Path) -> None:
    assert deploy(str(checkpoint), "target=toy") == 0
    folder = checkpoint.parent / "deploy" / "toy"
    report = json.loads((folder / "report.json").read_text())
    assert report["ok"] is True and report["target"] == "toy" and report["accuracy"]["artefact"] is not None
    assert [check["name"] for check in report["checks"]] == ["nir_round_trip", "numpy_bit_exact"]
    assert report["checks"][1]["got"].endswith(f"{2 * 16 * 11 * (8 + 4)} values compared, 0 differ")
    answers = dict(np.load(folder / "answers.npz"))
    assert answers["lif1.spikes"].any() and answers["lif2.spikes"].any()
    (folder / "answers.npz").unlink()
    subprocess.run([sys.executable, "-I", folder / "runner.py"], check=True)
    again = dict(np.load(folder / "answers.npz"))
    assert all(np.array_equal(again[key], values) for key, values in answers.items())


def test_a_wrong_artefact_fails_its_check(
    installed: None, checkpoint: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import toy_hardware  # type: ignore[import-not-found]  # on the path in this test alone

    right = toy_hardware._network

    def wrong(graph: object) -> dict[str, np.ndarray]:
        network = right(graph)
        weight = network["lif1.weight"].copy()
        weight[0] += 1
        return network | {"lif1.weight": weight}

    monkeypatch.setattr(toy_hardware, "_network", wrong)
    assert deploy(str(checkpoint), "target=toy") == 1
    assert "numpy_bit_exact" in capsys.readouterr().out


def test_its_settings_and_limits_are_those_of_any_target(
    installed: None, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert deploy(str(checkpoint), "target=toy", "target.most_neurons=6") == 2
    said = capsys.readouterr().err
    assert "target toy cannot take this network" in said and "target.most_neurons=8" in said
    assert not (checkpoint.parent / "deploy").exists()


def test_without_the_package_the_name_is_unknown(checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert deploy(str(checkpoint), "target=toy") == 2
    assert "toy" in capsys.readouterr().err
