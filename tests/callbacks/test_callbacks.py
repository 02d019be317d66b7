"""The callbacks around a stranger's LightningModule (snnTorch, Norse) and around ours."""

from __future__ import annotations

from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from snntorch.utils import reset
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from lightning_neuro.callbacks import ExportNIR, ParameterBuffers, Quantize
from lightning_neuro.checkpoint import load_record
from lightning_neuro.errors import CheckpointError, ConfigError, NirError
from lightning_neuro.graph.hardware_graph import ReadoutKind, Reset, ResetKind
from lightning_neuro.graph.nir_file import read_nir
from lightning_neuro.peers import norse, snntorch


class Stranger(pl.LightningModule):
    """Linear and cells, one step at a time; knows nothing of this project."""

    def __init__(self, make_cell) -> None:
        super().__init__()
        self.fc1, self.cell1 = nn.Linear(8, 16), make_cell()
        self.fc2, self.cell2 = nn.Linear(16, 3), make_cell()

    def forward(self, raster: Tensor) -> Tensor:
        state1, state2, counts = (), (), []
        for cell in (self.cell1, self.cell2):
            if isinstance(cell, snntorch.Leaky | snntorch.Synaptic):
                cell.reset_mem()
        for step in raster.unbind(1):
            hidden, *state1 = self.cell1(self.fc1(step), *state1)
            out, *state2 = self.cell2(self.fc2(hidden), *state2)
            counts.append(out)
        return torch.stack(counts).sum(0)

    def training_step(self, batch, index: int) -> Tensor:
        return nn.functional.cross_entropy(self(batch[0]), batch[1])

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def leaky() -> nn.Module:
    return snntorch.Leaky(beta=0.9, threshold=0.5)


def box(tau_mem_inv: float = 300.0) -> nn.Module:
    return norse.LIFBoxCell(norse.LIFBoxParameters(tau_mem_inv=torch.tensor(tau_mem_inv), v_th=torch.tensor(0.2)))


def synaptic() -> nn.Module:
    return snntorch.Synaptic(alpha=0.7, beta=0.8, threshold=1.0)


def current_based() -> nn.Module:
    return norse.LIFCell(norse.LIFParameters(v_th=torch.tensor(0.3)))


class Hidden(pl.LightningModule):
    """nn.Sequential of snnTorch layers that keep their own state (init_hidden), as its tutorials build them."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(8, 16),
            snntorch.Leaky(beta=0.9, threshold=0.5, init_hidden=True),
            nn.Dropout(0.1),
            nn.Linear(16, 3),
            snntorch.Leaky(beta=0.9, threshold=0.5, init_hidden=True, output=True),
        )

    def forward(self, raster: Tensor) -> Tensor:
        reset(self.net)
        return torch.stack([self.net(step)[0] for step in raster.unbind(1)]).sum(0)

    training_step = Stranger.training_step
    configure_optimizers = Stranger.configure_optimizers


def test_layers_that_keep_their_own_state_are_exported(tmp_path: Path) -> None:
    quantize, export = Quantize(), ExportNIR()
    fit(Hidden(), tmp_path, ParameterBuffers(), quantize, export)
    assert export.comparison is not None and export.comparison.mismatches == 0
    assert quantize.result is not None and quantize.result.float_ is not None


def loader() -> DataLoader:
    raster = (torch.rand(30, 12, 8) < 0.4).float()
    return DataLoader(TensorDataset(raster, torch.arange(30) % 3), batch_size=8)


def fit(module: pl.LightningModule, folder: Path, *callbacks: pl.Callback, **trainer: object) -> None:
    torch.manual_seed(0)
    options = {"max_epochs": 2, "logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    pl.Trainer(default_root_dir=folder, callbacks=list(callbacks), **options | trainer).fit(module, loader())  # type: ignore[arg-type]


@pytest.mark.parametrize("make_cell", [leaky, synaptic, box, current_based])
def test_a_strangers_network_is_kept_quantised_and_exported(tmp_path: Path, make_cell) -> None:
    buffers, quantize, export = (
        ParameterBuffers(),
        Quantize(weight_bits=5),
        ExportNIR(path=str(tmp_path / "x.nir")),
    )
    fit(Stranger(make_cell), tmp_path, buffers, quantize, export)
    [checkpoint] = tmp_path.rglob("*.ckpt")
    record = load_record(checkpoint)
    assert record.quantized is not None and record.quantized.widths.weight_bits == 5
    assert record.evaluation is not None and record.evaluation.spikes.shape == (30, 12, 8)
    assert record.evaluation.labels.tolist() == [k % 3 for k in range(30)]
    assert quantize.result is not None and quantize.result.samples == 30
    assert export.comparison is not None and export.comparison.mismatches == 0
    _, metadata = read_nir(tmp_path / "x.nir", dt_s=None)
    assert metadata.readout is ReadoutKind.SPIKE_COUNT and "read-out assumed: spike_count" in metadata.assumptions
    from_snntorch = make_cell in (leaky, synaptic)
    expected = Reset(kind=ResetKind.SUBTRACT if from_snntorch else ResetKind.ZERO, delay=int(from_snntorch))
    assert metadata.resets["cell1"] == expected


def test_the_exported_accuracy_is_that_of_torch(tmp_path: Path) -> None:
    module, quantize = Stranger(leaky), Quantize()
    fit(module, tmp_path, ParameterBuffers(), quantize)
    inputs, labels = (torch.cat(parts) for parts in zip(*loader(), strict=True))
    record = load_record(next(tmp_path.rglob("*.ckpt")))
    assert record.evaluation is not None
    counts = module(torch.from_numpy(record.evaluation.spikes).float())
    right = float((counts.argmax(1) == torch.from_numpy(record.evaluation.labels)).float().mean())
    assert len(inputs) == len(labels) and quantize.result is not None and quantize.result.float_ == pytest.approx(right)


def test_norse_constants_are_in_the_state_dict(tmp_path: Path) -> None:
    fit(Stranger(box), tmp_path, ParameterBuffers())
    state = torch.load(next(tmp_path.rglob("*.ckpt")), weights_only=True)["state_dict"]
    assert float(state["cell1.constant_tau_mem_inv"]) == 300.0 and float(state["cell2.constant_v_th"]) == pytest.approx(
        0.2
    )


def test_resuming_with_other_constants_is_refused(tmp_path: Path) -> None:
    fit(Stranger(box), tmp_path, ParameterBuffers())
    other = Stranger(lambda: box(200.0))
    trainer = pl.Trainer(
        max_epochs=3,
        logger=False,
        enable_progress_bar=False,
        callbacks=[ParameterBuffers()],
        default_root_dir=tmp_path,
    )
    with pytest.raises(CheckpointError, match=r"tau_mem_inv: checkpoint 300, module 200"):
        trainer.fit(other, loader(), ckpt_path=str(next(tmp_path.rglob("*.ckpt"))))


def test_an_operation_between_layers_is_caught_and_leaves_no_file(tmp_path: Path) -> None:
    class Scaled(nn.Linear):
        def forward(self, input: Tensor) -> Tensor:
            return super().forward(input) + 1.0

    module = Stranger(leaky)
    module.fc2 = Scaled(16, 3)
    with pytest.raises(NirError, match="does not repeat the spikes"):
        fit(module, tmp_path, ParameterBuffers(), ExportNIR(path=str(tmp_path / "x.nir")))
    assert not list(tmp_path.glob("*.nir*")) and not list(tmp_path.glob(".x*"))


def test_the_module_keeps_its_own_weights_after_export(tmp_path: Path) -> None:
    module = Stranger(leaky)
    fit(module, tmp_path, ParameterBuffers(), ExportNIR(path=str(tmp_path / "x.nir")))
    last = {name: value.clone() for name, value in module.state_dict().items()}
    assert all(torch.equal(value, last[name]) for name, value in module.state_dict().items())


def test_training_is_not_changed_by_saving(tmp_path: Path) -> None:
    weights = []
    for callbacks in ((), (ParameterBuffers(),)):
        torch.manual_seed(1)
        module = Stranger(leaky)
        fit(module, tmp_path / str(len(callbacks)), *callbacks)
        weights.append(module.fc1.weight.detach().clone())
    assert torch.equal(*weights)


def test_fast_dev_run_writes_nothing(tmp_path: Path) -> None:
    fit(Stranger(leaky), tmp_path, ParameterBuffers(), Quantize(), ExportNIR(), fast_dev_run=True)
    assert not list(tmp_path.rglob("*.*"))


def test_a_run_without_checkpoints_is_explained(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="saved no checkpoint"):
        fit(Stranger(leaky), tmp_path, ParameterBuffers(), Quantize(), enable_checkpointing=False)


def test_mistaken_arguments_are_refused() -> None:
    with pytest.raises(ConfigError, match="readout='loudest'"):
        ParameterBuffers(readout="loudest")
    with pytest.raises(ConfigError, match="dt=-1"):
        ParameterBuffers(dt=-1)
    with pytest.raises(ConfigError, match="weight_bits"):
        Quantize(weight_bits=1)


def test_the_folder_itself_is_not_a_second_package() -> None:
    with pytest.raises(ImportError, match=r"lightning_neuro\.callbacks"):
        import callbacks  # noqa: F401
