from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
import torch

from lightning_neuro.checkpoint import (
    KEY,
    InputSets,
    PackedInputs,
    from_plain,
    load_checkpoint,
    load_record,
    to_plain,
    write_checkpoint,
)
from lightning_neuro.data.spike_set import SpikeSet
from lightning_neuro.errors import CheckpointError, NeuroError
from lightning_neuro.graph.calibrate import quantize_network
from lightning_neuro.graph.digest import graph_sha256
from lightning_neuro.graph.hardware_graph import ReadoutKind, Reset, ResetKind
from lightning_neuro.graph.lower import lower
from lightning_neuro.graph.metadata import Metadata
from lightning_neuro.graph.widths import DEFAULT_SPEC
from tests.graph.networks import spikes


def small_network() -> tuple[nir.NIRGraph, Metadata]:
    rng = np.random.default_rng(0)
    tau = np.full(5, 8e-3)
    lif = nir.LIF(tau=tau, r=tau / 1e-3, v_leak=np.zeros(5), v_threshold=np.ones(5), v_reset=np.zeros(5))
    graph = nir.NIRGraph(
        nodes={
            "input": nir.Input(np.array([7])),
            "fc": nir.Linear(rng.normal(0, 0.5, (5, 7)).astype(np.float32)),
            "lif": lif,
            "output": nir.Output(np.array([5])),
        },
        edges=[("input", "fc"), ("fc", "lif"), ("lif", "output")],
    )
    metadata = Metadata(
        dt_s=1e-3,
        readout=ReadoutKind.SPIKE_COUNT,
        resets={"lif": Reset(kind=ResetKind.SUBTRACT, delay=1)},
        steps=9,
        coding={"kind": "rate", "steps": 9},
        assumptions=("said so",),
        tool="test",
    )
    return graph, metadata


def small_plain() -> dict[str, Any]:
    graph, metadata = small_network()
    inputs = SpikeSet(spikes=spikes(6, 9, 7), labels=np.arange(6, dtype=np.int64) % 5)
    packed = PackedInputs.of(InputSets(evaluation=inputs, calibration=inputs, coding={}))
    _, stored = quantize_network(lower(graph, metadata), DEFAULT_SPEC, None)
    return to_plain(graph, metadata, packed, stored)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "epoch=4-step=10.ckpt"
    torch.save({"state_dict": {}, KEY: small_plain()}, path)
    return path


def test_everything_comes_back(checkpoint: Path) -> None:
    graph, metadata = small_network()
    record = load_record(checkpoint)
    assert record.metadata == metadata
    assert graph_sha256(lower(record.graph, record.metadata)) == graph_sha256(lower(graph, metadata))
    assert record.evaluation is not None and (record.evaluation.spikes == spikes(6, 9, 7)).all()
    assert record.quantized is not None and record.quantized.widths == DEFAULT_SPEC


def test_the_key_holds_plain_values_only() -> None:
    def plain(value: object) -> bool:
        if isinstance(value, dict):
            return all(isinstance(k, str) and plain(v) for k, v in value.items())
        if isinstance(value, list):
            return all(plain(v) for v in value)
        return type(value) in (int, float, str, bool, type(None), torch.Tensor)

    assert plain(small_plain())


def test_damage_is_named(checkpoint: Path, tmp_path: Path) -> None:
    whole = checkpoint.read_bytes()
    cases = {
        "absent.ckpt": None,
        "empty.ckpt": b"",
        "text.ckpt": b"not a checkpoint at all",
        "truncated.ckpt": whole[: len(whole) // 2],
        "flipped.ckpt": whole[:200] + bytes(200) + whole[400:],
        "pickle.ckpt": pickle.dumps({"a": 1}),
    }
    for name, body in cases.items():
        path = tmp_path / name
        if body is not None:
            path.write_bytes(body)
        with pytest.raises(CheckpointError) as caught:
            load_record(path)
        assert str(path) in str(caught.value), name
        assert caught.value.next_command


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    torch.save({"hyper_parameters": Path("x"), KEY: {}}, tmp_path / "unsafe.ckpt")
    with pytest.raises(CheckpointError, match="other than tensors"):
        load_record(tmp_path / "unsafe.ckpt")


def test_a_foreign_checkpoint_names_the_callback_that_is_missing(tmp_path: Path) -> None:
    torch.save({"state_dict": {}}, tmp_path / "foreign.ckpt")
    with pytest.raises(CheckpointError, match="ParameterBuffers") as caught:
        load_record(tmp_path / "foreign.ckpt")
    assert "ParameterBuffers" in caught.value.next_command


@pytest.mark.parametrize("key", ["nir", "metadata", "evaluation", "calibration", "quantized"])
def test_a_missing_part_is_named(key: str) -> None:
    values = small_plain()
    del values[key]
    with pytest.raises(CheckpointError, match=key):
        from_plain(values, "x.ckpt")


@pytest.mark.parametrize(
    ("key", "rubbish"), [("nir", 3), ("metadata", {}), ("evaluation", {}), ("quantized", {"a": 1})]
)
def test_a_damaged_part_is_refused(key: str, rubbish: object) -> None:
    with pytest.raises(NeuroError):
        from_plain({**small_plain(), key: rubbish}, "x.ckpt")


def test_a_newer_schema_is_refused() -> None:
    with pytest.raises(CheckpointError, match="newer"):
        from_plain({**small_plain(), "schema": 99}, "x.ckpt")


def test_a_failed_write_keeps_the_old_file(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = checkpoint.read_bytes()

    def full_disk(*args: object) -> None:
        Path(str(args[1])).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full_disk)
    with pytest.raises(CheckpointError, match="could not be written"):
        write_checkpoint({}, checkpoint)
    assert checkpoint.read_bytes() == before and len(list(checkpoint.parent.iterdir())) == 1


def test_load_checkpoint_refuses_other_things_than_dictionaries(tmp_path: Path) -> None:
    torch.save([1, 2], tmp_path / "list.ckpt")
    with pytest.raises(CheckpointError, match="not a readable checkpoint"):
        load_checkpoint(tmp_path / "list.ckpt")
