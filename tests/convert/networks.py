"""Small networks with random weights: nothing is trained, the conversion must follow whatever they compute."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lightning_neuro.convert import QCFS


def mlp(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 4))


def cnn(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    network = nn.Sequential(
        *(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.AvgPool2d(2)),
        *(nn.Conv2d(4, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten()),
        *(nn.Linear(24, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3), nn.Softmax(dim=1)),
    )
    return settled(network, (1, 8, 8))


def qcfs(levels: int, seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    network = nn.Sequential(
        *(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), QCFS(levels=levels, initial=1.1), nn.AvgPool2d(2)),
        *(nn.Flatten(), nn.Linear(64, 16), QCFS(levels=levels, initial=0.7), nn.Linear(16, 5)),
    )
    return settled(network, (1, 8, 8))


class Residual(nn.Module):
    """Functional and method activations, a layer used twice, a sum with the values before it, a mean over positions."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.stem, self.norm = nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.twice, self.last = nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm(self.stem(x / 2)))
        y = torch.relu(self.twice(x) + x)
        z = (x + self.twice(y)).relu()  # past a layer: the branch has to wait where layers work one after the other
        pooled = z.mean((2, 3))
        return F.log_softmax(self.last(pooled.view(pooled.size(0), -1)), dim=1)


def settled(network: nn.Module, shape: tuple[int, ...]) -> nn.Module:
    """The network with statistics of normalisation that are not the initial ones, in evaluation mode."""
    network.train()
    with torch.no_grad():
        for _ in range(3):
            network(torch.rand(32, *shape) * 2)
    return network.eval()


def residual(seed: int = 0) -> nn.Module:
    return settled(Residual(seed), (1, 8, 8))


def images(count: int, seed: int = 1) -> Tensor:
    return torch.rand(count, 1, 8, 8, generator=torch.Generator().manual_seed(seed))


def vectors(count: int, seed: int = 1) -> Tensor:
    return torch.rand(count, 12, generator=torch.Generator().manual_seed(seed))
