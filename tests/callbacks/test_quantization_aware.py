"""Anybody's module trained with rounded weights: exported as it is, and rounded at the end without a change."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from lightning_neuro.callbacks import ExportNIR, ParameterBuffers, QuantizationAware, Quantize
from lightning_neuro.checkpoint import load_record
from lightning_neuro.errors import ConfigError
from lightning_neuro.graph import golden
from lightning_neuro.graph.lower import lower
from lightning_neuro.neurons.rounded_weights import RoundedWeights
from lightning_neuro.peers import snntorch
from tests.callbacks.test_callbacks import Stranger, fit, leaky, loader


class Images(Stranger):
    """A convolution and a linear layer with snnTorch's neurons, one step at a time."""

    def __init__(self) -> None:
        super().__init__(leaky)
        self.fc1, self.fc2 = nn.Conv2d(1, 3, 3, bias=False), nn.Linear(48, 3)  # type: ignore[assignment]
        self.fc1.weight.data.abs_()  # spikes whatever was drawn

    def forward(self, raster: Tensor) -> Tensor:
        assert isinstance(self.cell1, snntorch.Leaky) and isinstance(self.cell2, snntorch.Leaky)
        state1, state2, counts = self.cell1.reset_mem(), self.cell2.reset_mem(), []
        for step in raster.unbind(1):
            hidden, state1 = self.cell1(self.fc1(step), state1)
            out, state2 = self.cell2(self.fc2(hidden.flatten(1)), state2)
            counts.append(out)
        return torch.stack(counts).sum(0)


def images() -> DataLoader:
    raster = (torch.rand(30, 8, 1, 6, 6) < 0.4).float()
    return DataLoader(TensorDataset(raster, torch.arange(30) % 3), batch_size=8)


def run(module: pl.LightningModule, data: DataLoader, folder: Path, *callbacks: pl.Callback, **more: object) -> None:
    options = {"max_epochs": 2, "logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    torch.manual_seed(0)
    trainer = pl.Trainer(default_root_dir=folder, callbacks=list(callbacks), **options)  # type: ignore[arg-type]
    trainer.fit(module, data, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(("make", "data"), [(lambda: Stranger(leaky), loader), (Images, images)])
@pytest.mark.parametrize("scale", ["searched", "learned"])
def test_a_strangers_rounded_layers_are_exported_and_their_grid_is_found(tmp_path: Path, make, data, scale) -> None:
    export, quantize = ExportNIR(path=str(tmp_path / "x.nir")), Quantize()
    module = make()
    run(module, data(), tmp_path, QuantizationAware("w4v10", scale), ParameterBuffers(), quantize, export)
    assert export.comparison is not None and export.comparison.mismatches == 0
    record = load_record(next(tmp_path.rglob("*.ckpt")))
    assert record.quantized is not None and record.evaluation is not None
    assert (record.quantized.widths.weight_bits, record.quantized.widths.state_bits) == (4, 10)
    real = lower(record.graph, record.metadata)
    integers = record.quantized.apply(real)
    for before, after in zip(real.projections, integers.projections, strict=True):
        assert before.connection.weight.real.any()
        assert np.allclose(before.connection.weight.real, after.connection.weight.real, rtol=1e-5, atol=1e-9)
    rounded = dataclasses.replace(real, projections=integers.projections)  # biases are real numbers in training
    wanted, got = (
        golden.run(graph, record.evaluation.spikes, arithmetic="real", record=True).spikes for graph in (real, rounded)
    )
    assert wanted["cell1"].any() and all(np.array_equal(raster, got[name]) for name, raster in wanted.items())


def test_one_scale_serves_all_time_steps_between_two_updates(tmp_path: Path) -> None:
    module, seen = Stranger(leaky), []

    class Watch(pl.Callback):
        def on_before_zero_grad(self, trainer, pl_module, optimizer) -> None:  # once per step
            seen.append([int(part.updates) for part in pl_module.modules() if isinstance(part, RoundedWeights)])

    run(module, loader(), tmp_path, QuantizationAware("w4"), Watch())
    assert seen == [[k, k] for k in range(1, 9)]  # 2 epochs of 4 batches, 12 time steps each


def test_widths_named_by_hand_count_more_than_those_trained_with(tmp_path: Path) -> None:
    fit(Stranger(leaky), tmp_path, QuantizationAware("w4v10d5"), ParameterBuffers(), Quantize(state_bits=14))
    widths = load_record(next(tmp_path.rglob("*.ckpt"))).quantized.widths
    assert (widths.weight_bits, widths.state_bits, widths.leak_bits) == (4, 14, 5)


def test_a_checkpoint_with_rounding_is_resumed_as_if_never_interrupted(tmp_path: Path) -> None:
    states = []
    for name, parts in {"whole": (4,), "halves": (2, 4)}.items():
        path = None
        for epochs in parts:
            torch.manual_seed(0)
            trainer = pl.Trainer(
                default_root_dir=tmp_path / name, max_epochs=epochs, callbacks=[QuantizationAware("w3")], logger=False,
                enable_progress_bar=False, enable_model_summary=False,
            )  # fmt: skip
            module = Stranger(leaky)
            torch.manual_seed(1)
            trainer.fit(module, DataLoader(fixed(), batch_size=8), ckpt_path=path)
            path = str(tmp_path / f"{name}.ckpt")
            trainer.save_checkpoint(path)
        states.append(module.state_dict())
    assert states[0].keys() == states[1].keys() and "fc1.parametrizations.weight.0.lsb" in states[0]
    assert all(torch.equal(value, states[1][key]) for key, value in states[0].items())


def fixed() -> TensorDataset:
    generator = torch.Generator().manual_seed(5)
    return TensorDataset((torch.rand(30, 12, 8, generator=generator) < 0.4).float(), torch.arange(30) % 3)


def test_a_second_fit_keeps_its_rounding_and_refuses_another(tmp_path: Path) -> None:
    module = Stranger(leaky)
    for _ in range(2):
        fit(module, tmp_path, QuantizationAware("w4"))
    assert len(module.fc1.parametrizations["weight"]) == 1  # type: ignore[index]
    with pytest.raises(ConfigError, match="already"):
        fit(module, tmp_path, QuantizationAware("w3"))
