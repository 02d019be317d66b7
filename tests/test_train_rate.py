"""``python train.py model=rate`` end to end: an ANN is trained, converted, rounded, written as NIR."""

from __future__ import annotations

import json
import sys

import pytest
import torch

from lightning_neuro.checkpoint import load_record
from lightning_neuro.train import main

SMALL = ("model=rate_mlp", "trainer.max_epochs=3", "model.network=[{dense: 32}]", "callbacks.progress=null")


@pytest.fixture
def train(monkeypatch, tmp_path, capsys):
    """Run the command in this process; returns (exit code, stdout, stderr)."""

    def run(*overrides: str) -> tuple[int, str, str]:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["train.py", f"hydra.run.dir={tmp_path / 'outputs/run'}", *overrides])
        code = 0
        try:
            main()
        except SystemExit as leaving:
            code = int(leaving.code or 0)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.mark.draws
def test_a_run_ends_with_a_spiking_network_its_numbers_and_its_pictures(train, tmp_path):
    code, out, _ = train(*SMALL, "model.conversion.split_layer=1", "model.conversion.early_stop=4.0")
    run = tmp_path / "outputs" / "run"
    assert code == 0
    files = {path.name for path in run.iterdir()}
    assert {"best.ckpt", "last.ckpt", "best.nir", "metrics.json", "curves.png"} <= files
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["ann/accuracy"] == pytest.approx(metrics["test_accuracy"], abs=1e-6)
    assert metrics["ann/accuracy"] > 0.7
    assert metrics["snn/acc_T32"] == pytest.approx(metrics["ann/accuracy"], abs=0.02)
    assert metrics["snn/gap_T32"] == pytest.approx(metrics["ann/accuracy"] - metrics["snn/acc_T32"])
    assert metrics["quantized_test_accuracy"] == pytest.approx(metrics["snn/acc_T8"], abs=0.02)
    assert 0 < metrics["spikes_per_sample"] < 8 * 32 and metrics["snn/synaptic_operations_T8"] > 0
    assert 0.5 < metrics["snn/correlation/dense1"] <= 1 and "hybrid/acc_T8" in metrics
    assert 1 <= metrics["early_stop/mean_steps"] <= 32
    pictures = {path.stem for path in (run / "pictures").iterdir()}
    assert pictures == {"accuracy", "correlation", "scatter", "activity", "spike_counts", "parameters"}
    assert "synaptic operations" in out and "below the ANN" in out


def test_the_checkpoint_is_all_that_deployment_needs(train, tmp_path):
    train(*SMALL, "model.conversion.schedule=layer_sequential", "model.conversion.steps=4")
    path = tmp_path / "outputs" / "run" / "best.ckpt"
    torch.load(path, weights_only=True)
    record = load_record(path)
    assert record.metadata.steps == 2 * 4 and record.metadata.coding["steps"] == 4
    assert record.quantized.widths.weight_bits == 8 and len(record.evaluation) == 360
    assert record.evaluation.spikes.strides[1] == 0  # intensities are kept once, not once per step


@pytest.mark.parametrize(
    ("overrides", "word"),
    [
        (("model.conversion.norm=mean",), "norm"),
        (("model.conversion.split_layer=9", "trainer=debug"), "split_layer"),
        (("data.coding.kind=latency",), "intensity"),
        (("data=digits_latency",), "first_spike"),
        (("model.network=[{conv: 4, size: 3}]",), "size"),
        (("model.activation=tanh",), "tanh"),
    ],
)
def test_a_mistake_gives_one_message_and_exit_code_2(train, overrides, word):
    code, _, err = train("model=rate_mlp", *overrides)
    assert code == 2 and word in err and "Traceback" not in err
