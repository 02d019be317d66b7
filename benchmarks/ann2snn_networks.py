"""Networks, data and training of the ANN-to-SNN comparison: torch and scikit-learn only, so that a peer can load them.

scikit-learn's digits / 16, a fifth of them for the test (stratified, by seed); Adam 3e-3, weight decay 1e-4, cosine to
0, batches of 64, cross-entropy, one thread.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import CosineAnnealingLR
from torch.utils.data import DataLoader, TensorDataset

STEPS = (1, 2, 4, 8, 16, 32)
Activation = Callable[[], nn.Module]


@dataclass(frozen=True, slots=True, kw_only=True)
class Digits:
    train: Tensor
    train_labels: Tensor
    test: Tensor
    test_labels: Tensor

    def calibration(self) -> DataLoader:
        return DataLoader(TensorDataset(self.train, self.train_labels), 100)


def digits(seed: int, shape: tuple[int, ...]) -> Digits:
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    values, labels = load_digits(return_X_y=True)
    parts = train_test_split(
        (values / 16).astype(np.float32), labels, test_size=0.2, random_state=seed, stratify=labels
    )
    train, test = (_shaped(torch.tensor(part), shape) for part in parts[:2])
    return Digits(
        train=train, test=test, train_labels=torch.tensor(parts[2]), test_labels=torch.tensor(parts[3])
    )  # fmt: skip


def _shaped(values: Tensor, shape: tuple[int, ...]) -> Tensor:
    if len(shape) == 1:
        return values
    images = values.reshape(-1, 1, 8, 8)
    return images if shape == (1, 8, 8) else F.interpolate(images, size=shape[1:], mode="bilinear", align_corners=False)


def mlp(activation: Activation) -> nn.Sequential:
    hidden = nn.Linear(64, 128), activation(), nn.Linear(128, 64), activation()
    return nn.Sequential(*hidden, nn.Linear(64, 10))


def cnn(activation: Activation) -> nn.Sequential:
    first = (*_block(1, 16, activation), nn.AvgPool2d(2))
    second = (*_block(16, 32, activation), nn.AvgPool2d(2), nn.Flatten())
    return nn.Sequential(*first, *second, nn.Linear(128, 64), activation(), nn.Linear(64, 10))


def deep(activation: Activation) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels_in, channels in ((1, 16), (16, 32), (32, 64)):
        layers += [*_block(channels_in, channels, activation), *_block(channels, channels, activation), nn.AvgPool2d(2)]
    head = nn.Flatten(), nn.Linear(256, 128), nn.BatchNorm1d(128), activation(), nn.Linear(128, 10)
    return nn.Sequential(*layers, *head)


def _block(channels_in: int, channels: int, activation: Activation) -> tuple[nn.Module, ...]:
    return nn.Conv2d(channels_in, channels, 3, padding=1), nn.BatchNorm2d(channels), activation()


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    build: Callable[[Activation], nn.Sequential]
    shape: tuple[int, ...]
    epochs: int


NETWORKS = {
    "mlp": Recipe(build=mlp, shape=(64,), epochs=40),
    "cnn": Recipe(build=cnn, shape=(1, 8, 8), epochs=40),
    "deep": Recipe(build=deep, shape=(1, 16, 16), epochs=25),
}


def trained(name: str, seed: int, activation: Activation, cache: Path) -> tuple[nn.Sequential, Digits]:
    """Network of a seed with its data; trained once, then read from ``cache``."""
    recipe = NETWORKS[name]
    data = digits(seed, recipe.shape)
    torch.manual_seed(seed)
    network = recipe.build(activation)
    if cache.is_file():
        network.load_state_dict(torch.load(cache, weights_only=True))
    else:
        _train(network, data, recipe.epochs, seed)
        cache.parent.mkdir(parents=True, exist_ok=True)
        torch.save(network.state_dict(), cache)
    return network.eval(), data


def _train(network: nn.Sequential, data: Digits, epochs: int, seed: int) -> None:
    order = torch.Generator().manual_seed(seed)
    loader = DataLoader(TensorDataset(data.train, data.train_labels), 64, shuffle=True, generator=order)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3, weight_decay=1e-4)
    schedule = CosineAnnealingLR(optimizer, epochs)
    network.train()
    for _ in range(epochs):
        for values, labels in loader:
            optimizer.zero_grad()
            F.cross_entropy(network(values), labels).backward()
            optimizer.step()
        schedule.step()


def accuracy(classes: Tensor, labels: Tensor) -> float:
    return 100 * float((classes == labels).float().mean())
