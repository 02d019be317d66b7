"""A trained ANN of your own: check it, convert it, look at accuracy against time steps, deploy it."""

from pathlib import Path

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from lightning_neuro.commands.deploy import deploy_and_show
from lightning_neuro.convert import DEFAULT, convert, evaluate
from lightning_neuro.convert.checkpoints import save_converted
from lightning_neuro.convert.samples import first_of
from lightning_neuro.finish import quantize_checkpoint
from lightning_neuro.graph.widths import QuantizeRequest

torch.manual_seed(0)
pixels, labels = (torch.tensor(array) for array in load_digits(return_X_y=True))
data = TensorDataset(pixels.float() / 16, labels)
train, test = torch.utils.data.random_split(data, [1437, 360])
train_loader, test_loader = DataLoader(train, batch_size=64, shuffle=True), DataLoader(test, batch_size=120)

# 1. Anybody's network; yours comes with its weights: ann.load_state_dict(torch.load(...)).
ann = nn.Sequential(nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
optimizer = torch.optim.Adam(ann.parameters(), lr=3e-3)
for _epoch in range(12):
    for inputs, targets in train_loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(ann(inputs), targets).backward()
        optimizer.step()

# 2. Convert with training data, measure with test data; ``ann_accuracy`` validates the ANN you brought.
converted = convert(ann, train_loader, DEFAULT.replace(steps=8))
found = evaluate(converted, test_loader, (1, 2, 4, 8, 16, 32), split_layer=None, analyse=False)
print(f"ANN {100 * found.ann_accuracy:.2f} %")
for steps, accuracy, spikes in zip(found.steps, found.accuracy, found.spikes_per_sample, strict=True):
    print(f"T = {steps:<3} {100 * accuracy:.2f} %  {spikes:,.0f} spikes per sample")

# 3. A checkpoint for hardware: integers, then the artefact with its proof.
checkpoint = Path("outputs/pretrained/digits.ckpt")
checkpoint.parent.mkdir(parents=True, exist_ok=True)
save_converted(converted, checkpoint, train=first_of(train_loader, 1437), test=first_of(test_loader, 360))
print(quantize_checkpoint(checkpoint, QuantizeRequest(weight_bits=8, state_bits=None, leak_bits=None)))
deploy_and_show(checkpoint, ("target=fpga", "target.synthesis=false", "verify.samples=2"))
