"""Two networks that others trained with another implementation: same times, losses and gradients.

That implementation adds 1e-6 to its sums. For tau_mem = 2 tau_syn that is, exactly, one more input at time 0 with
weight 1e-6, so there the comparison can be made to rounding.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from lightning_neuro.neurons.first_spike import spike_times


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    tau_mem: float
    bias: list[float]
    inputs: Tensor
    weights: list[Tensor]
    labels: Tensor
    times: Tensor
    accuracy: float
    loss: float
    gradients: list[Tensor]
    batch: int


def load(folder: Path, kind: str) -> Published:
    path = (
        folder
        / "spike_time"
        / {"equal": "yinyang_tau_equal_5_120_3.npz", "double": "yinyang_tau_double_4_30_3.npz"}[kind]
    )
    if not path.is_file():
        pytest.skip(f"no {path}")
    data = np.load(path, allow_pickle=False)
    names = ("grad_w0", "grad_w1") if kind == "equal" else ("grad_param0", "grad_param1")
    return Published(
        tau_mem=1.0 if kind == "equal" else 2.0,
        bias=data["bias_times"].tolist() if kind == "equal" else [],
        inputs=torch.tensor(0.15 + 1.85 * data["test_coords"]),
        weights=[torch.tensor(data["w0"]), torch.tensor(data["w1"])],
        labels=torch.tensor(data["test_labels"]),
        times=torch.tensor(data["test_label_times"]),
        accuracy=float(np.squeeze(data["test_accuracy"])),
        loss=float(data["grad_loss"]),
        gradients=[torch.tensor(data[name]) for name in names],
        batch=int(data["grad_batch"]),
    )


@pytest.fixture(scope="module", params=["equal", "double"])
def published(request: pytest.FixtureRequest, shared_data: Path) -> Published:
    return load(shared_data, request.param)


def run(net: Published, inputs: Tensor, weights: list[Tensor], epsilon: float, max_dw_norm: float = math.inf) -> Tensor:
    times = inputs
    for weight in weights:
        extra = torch.tensor(net.bias + ([0.0] if epsilon else []), dtype=times.dtype)
        times = torch.cat([times, extra.expand(len(times), -1)], 1)
        if epsilon:
            weight = torch.cat([weight, torch.full_like(weight[:1], epsilon)])
        times = spike_times(
            times,
            weight,
            tau_syn=1.0,
            tau_mem=net.tau_mem,
            threshold=1.0,
            delays=None,
            max_dw_norm=max_dw_norm,
        )
    return times


def loss_of(net: Published, times: Tensor) -> Tensor:
    """The loss that the file's config names; constants are those of its config."""
    labels = net.labels[: len(times)]
    right = times.gather(1, labels[:, None])
    if net.tau_mem == 1.0:
        early = 0.005 * torch.exp(right[:, 0])
        return (torch.logsumexp(-times / 0.2, 1) + right[:, 0] / 0.2 + early).mean()
    wrong = torch.arange(times.shape[1]) != labels[:, None]
    return 0.5 * ((times - right - 0.2 * wrong) ** 2).sum(1).mean()


def test_times_silent_neurons_and_accuracy_are_the_published_ones(published: Published) -> None:
    times = run(published, published.inputs, published.weights, 0.0)
    assert torch.equal(torch.isinf(times), torch.isinf(published.times))
    torch.testing.assert_close(times, published.times, rtol=0, atol=1e-4)
    assert (times.argmin(1) == published.labels).double().mean().item() == published.accuracy
    assert published.accuracy in (0.960, 0.967)


def test_hidden_times_are_the_published_ones(shared_data: Path) -> None:
    net = load(shared_data, "equal")
    expected = np.load(shared_data / "spike_time" / "yinyang_tau_equal_5_120_3.npz")["test_hidden_times_first100"]
    hidden = run(net, net.inputs[:100], net.weights[:1], 0.0)
    torch.testing.assert_close(hidden, torch.tensor(expected), rtol=0, atol=1e-4)


@pytest.mark.parametrize("max_dw_norm", [math.inf, 0.2])
def test_loss_and_gradients_are_the_published_ones(published: Published, max_dw_norm: float) -> None:
    # no (sample, neuron) of these batches reaches the veto at 0.2, so both ways are theirs
    epsilon = 0.0 if published.tau_mem == 1.0 else 1e-6
    weights = [w.clone().requires_grad_() for w in published.weights]
    loss = loss_of(published, run(published, published.inputs[: published.batch], weights, epsilon, max_dw_norm))
    assert loss.item() == pytest.approx(published.loss, rel=1e-5)
    for found, expected in zip(torch.autograd.grad(loss, weights), published.gradients, strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-3 * expected.abs().max().item())


def test_with_their_epsilon_times_and_gradients_agree_to_rounding(shared_data: Path) -> None:
    net = load(shared_data, "double")
    torch.testing.assert_close(run(net, net.inputs, net.weights, 1e-6), net.times, rtol=0, atol=1e-12)
    weights = [w.clone().requires_grad_() for w in net.weights]
    loss = loss_of(net, run(net, net.inputs[: net.batch], weights, 1e-6))
    for found, expected in zip(torch.autograd.grad(loss, weights), net.gradients, strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-6 * expected.abs().max().item())
