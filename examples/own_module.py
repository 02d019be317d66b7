"""Your own LightningModule with snnTorch's defaults (subtract reset, delayed): four callbacks bring it to an FPGA."""

import pytorch_lightning as pl
import snntorch
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from lightning_neuro.callbacks import Deploy, ExportNIR, ParameterBuffers, Quantize


class Digits(pl.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(64, 64), snntorch.Leaky(beta=0.9)
        self.fc2, self.lif2 = nn.Linear(64, 10), snntorch.Leaky(beta=0.9)

    def forward(self, spikes: torch.Tensor) -> torch.Tensor:  # [batch, step, 64] -> spike counts [batch, 10]
        mem1, mem2, counts = self.lif1.reset_mem(), self.lif2.reset_mem(), []
        for step in spikes.unbind(1):
            hidden, mem1 = self.lif1(self.fc1(step), mem1)
            out, mem2 = self.lif2(self.fc2(hidden), mem2)
            counts.append(out)
        return torch.stack(counts).sum(0)

    def training_step(self, batch: tuple[torch.Tensor, torch.Tensor], index: int) -> torch.Tensor:
        return nn.functional.cross_entropy(self(batch[0]), batch[1])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


torch.manual_seed(0)
pixels, labels = (torch.tensor(array) for array in load_digits(return_X_y=True))
spikes = (torch.rand(len(pixels), 12, 64) < pixels[:, None] / 16).float()
loader = DataLoader(TensorDataset(spikes, labels.long()), batch_size=64, shuffle=False)
hooks = [ParameterBuffers(), Quantize(), ExportNIR(), Deploy("fpga", ["target.synthesis=false", "verify.samples=5"])]
pl.Trainer(max_epochs=5, callbacks=hooks, logger=False, default_root_dir="outputs/own").fit(Digits(), loader)
print(hooks[2].comparison)
