"""ConvertAtFitEnd around somebody's own ANN: the checkpoint holds a spiking network that can be deployed."""

from __future__ import annotations

from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from lightning_neuro.callbacks import ConvertAtFitEnd, ExportNIR, ParameterBuffers, Quantize
from lightning_neuro.checkpoint import load_record
from lightning_neuro.convert import DEFAULT, ConversionPlan
from lightning_neuro.errors import CheckpointError, GraphError
from lightning_neuro.graph.evaluate import accuracy
from lightning_neuro.graph.lower import lower


class Stripes(pl.LightningModule):
    """Tells where the bright stripe of an image is; the forward of somebody else, with functional ReLU."""

    def __init__(self, activation: str = "relu") -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.pool, self.fc = nn.AvgPool2d(2), nn.Linear(4 * 9, 6)
        self.activation = activation

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        hidden = getattr(torch, self.activation)(self.norm(self.conv(images)))
        return self.fc(self.pool(hidden).flatten(1))

    def training_step(self, batch, index):
        return nn.functional.cross_entropy(self(batch[0]), batch[1])

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=2e-2)


def loader() -> DataLoader:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(6, (192,), generator=generator)
    images = 0.3 * torch.rand(192, 1, 6, 6, generator=generator)
    images[torch.arange(192), 0, labels] += 0.7
    return DataLoader(TensorDataset(images, labels), batch_size=32)


def fit(folder, module: pl.LightningModule, *callbacks: pl.Callback, epochs: int = 6) -> pl.Trainer:
    torch.manual_seed(0)
    trainer = pl.Trainer(
        max_epochs=epochs,
        callbacks=[ParameterBuffers(), *callbacks],
        logger=False,
        accelerator="cpu",
        default_root_dir=folder,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, loader(), loader())
    return trainer


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    plan = ConversionPlan(options=DEFAULT.replace(steps=8), curve=(2, 8), split_layer=1, early_stop=5.0)
    callbacks = (ConvertAtFitEnd(plan), Quantize(), ExportNIR())
    module = Stripes()
    trainer = fit(tmp_path_factory.mktemp("stripes"), module, *callbacks)
    return trainer, module, callbacks


def test_the_spiking_network_answers_as_the_ann(run):
    result = run[2][0].result
    assert result.evaluation.ann_accuracy > 0.95
    assert result.numbers()["snn/gap_T8"] <= 0.02
    assert result.hybrid is not None and result.stopped is not None
    assert 2 <= result.stopped.mean_steps <= 8


def test_the_checkpoint_holds_the_network_that_was_measured(run):
    trainer, _, (convert, quantize, _) = run
    record = load_record(Path(trainer.checkpoint_callback.best_model_path))
    graph = lower(record.graph, record.metadata)
    measured = convert.result.numbers()["snn/acc_T8"]
    assert accuracy(graph, record.evaluation, "real") == pytest.approx(measured)
    assert quantize.result.quantized == pytest.approx(measured, abs=0.02)
    assert record.quantized.widths.weight_bits == 8


def test_every_number_of_spikes_is_the_same_in_the_nir_file(run):
    export = run[2][2]
    assert export.file.is_file()
    assert export.comparison.slots > 1000 and export.comparison.mismatches == 0


def test_the_module_is_left_as_training_left_it(run):
    trainer, module, _ = run
    last = torch.load(trainer.checkpoint_callback.best_model_path, weights_only=True)["state_dict"]
    assert all(torch.equal(last[name], value) for name, value in module.state_dict().items())


def test_what_cannot_spike_is_refused_before_training(tmp_path):
    module = Stripes(activation="tanh")
    before = module.fc.weight.clone()
    with pytest.raises(GraphError, match="tanh"):
        fit(tmp_path, module, ConvertAtFitEnd())
    assert torch.equal(module.fc.weight, before)


def test_a_checkpoint_from_the_middle_of_training_names_the_way_to_its_network(tmp_path):
    module = Stripes()
    trainer = fit(tmp_path, module, ConvertAtFitEnd(), epochs=1)
    trainer.save_checkpoint(tmp_path / "middle.ckpt")
    with pytest.raises(CheckpointError, match="ckpt_path"):
        load_record(tmp_path / "middle.ckpt")


def test_channels_are_scaled_for_the_width_of_the_integers(tmp_path):
    callbacks = (ConvertAtFitEnd(), Quantize(weight_bits=4))
    fit(tmp_path, Stripes(), *callbacks, epochs=1)
    assert callbacks[0].result.converted.options.weight_bits == 4
