"""A recurrent network of snnTorch neurons in your own LightningModule, brought to SpiNNaker and proved on NEST."""

import pytorch_lightning as pl
import snntorch
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from lightning_neuro.callbacks import Deploy, ParameterBuffers, Quantize


class Digits(pl.LightningModule):
    def __init__(self) -> None:
        super().__init__()  # SpiNNaker's neurons reset to a value, they cannot subtract
        self.fc1 = nn.Linear(64, 48)
        self.lif1 = snntorch.RLeaky(beta=0.9, linear_features=48, reset_mechanism="zero")
        self.fc2, self.lif2 = nn.Linear(48, 10), snntorch.Leaky(beta=0.9, reset_mechanism="zero")

    def forward(self, spikes: torch.Tensor) -> torch.Tensor:  # [batch, step, 64] -> spike counts [batch, 10]
        (hidden, mem1), mem2, counts = self.lif1.reset_mem(), self.lif2.reset_mem(), []
        for step in spikes.unbind(1):
            hidden, mem1 = self.lif1(self.fc1(step), hidden, mem1)
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
callbacks = [ParameterBuffers(), Quantize(weight_bits=8, state_bits=16), Deploy(target="spinnaker")]
pl.Trainer(max_epochs=5, callbacks=callbacks, logger=False, default_root_dir="outputs/recurrent").fit(Digits(), loader)
