"""First-spike kernels: time per neuron and per training step, against the published algorithm, in one process.

    python benchmarks/spike_time.py [--repeats 20] [--threads 1] [--tau-ratio 1]

A step is forward and backward (weights and input times) of one layer: batch x inputs x neurons. The three shapes are
the two layers of 5-120-3 on Yin-Yang in batches of 150, and the first layer of 784-350-10 on images in batches of 80.
The peer is our own short writing of what Goeltz, Kriener et al. 2021 do: solve every prefix of the sorted inputs, with
Lambert's W of scipy (equal time constants) or the quadratic formula (ratio 2), and take the earliest solution that
lies in its own interval; weights are masked by a copy per prefix, O(batch n_in^2 n_out), as there. It is skipped where
it would need more than 4 GiB. With one thread the clock is the CPU time of the process, so that other programs on the
machine do not count.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from rich.console import Console
from rich.table import Table
from scipy.special import lambertw
from torch import Tensor

from lightning_neuro.neurons import first_spike_numba, first_spike_torch
from lightning_neuro.neurons.first_spike import spike_times

PEER_BYTES = 4 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A layer and its random network."""

    name: str
    batch: int
    n_in: int
    n_out: int
    weight_mean: float
    weight_std: float


SHAPES = (
    Shape(name="Yin-Yang, hidden", batch=150, n_in=5, n_out=120, weight_mean=1.5, weight_std=0.8),
    Shape(name="Yin-Yang, output", batch=150, n_in=121, n_out=3, weight_mean=0.5, weight_std=0.8),
    Shape(name="images, hidden", batch=80, n_in=784, n_out=350, weight_mean=0.05, weight_std=0.8),
)


def problem(shape: Shape) -> tuple[Tensor, Tensor]:
    """Return input times [batch, n_in] and weights [n_in, n_out]."""
    generator = torch.Generator().manual_seed(0)
    value = torch.rand(shape.batch, shape.n_in, generator=generator, dtype=torch.float64)
    if shape.n_in == 784:  # four fifths of an image are dark, hence late
        value = value.where(torch.rand(value.shape, generator=generator) < 0.19, 1)
    times = 0.15 + 1.85 * value
    if shape.n_in == 121:  # spikes of a hidden layer, a third of them silent
        times = (times + 0.5).where(torch.rand(times.shape, generator=generator) > 0.3, math.inf)
    weights = torch.randn(shape.n_in, shape.n_out, generator=generator, dtype=torch.float64)
    return times, shape.weight_mean + shape.weight_std * weights


def all_prefixes(times: Tensor, weights: Tensor, tau_ratio: float) -> Tensor:
    """The published algorithm; differentiable by autograd where W is not needed, else by its implicit derivative."""
    batch, n_in = times.shape
    order = times.argsort(1)
    sorted_times = times.gather(1, order)
    prefix = torch.ones(n_in, n_in, dtype=times.dtype).triu()  # column k: the inputs up to k
    masked = weights[order][:, :, None] * prefix[None, :, :, None]  # [batch, n_in, prefix, n_out]
    finite = sorted_times.where(torch.isfinite(sorted_times), 0)
    grown = torch.exp(finite / tau_ratio).where(torch.isfinite(sorted_times), 0)
    factors = torch.stack([grown, grown * (finite if tau_ratio == 1 else grown)], 1)
    one, other = (factors @ masked.flatten(2)).view(batch, 2, n_in, -1).unbind(1)
    if tau_ratio == 1:
        solution = _Prefixes.apply(one, other)
    else:
        root = torch.sqrt(one * one - 2 * other)
        solution = 2 * torch.log(2 * other / (one + root))
    following = torch.cat([sorted_times[:, 1:], torch.full((batch, 1), math.inf).to(times)], 1)
    valid = (solution >= sorted_times[..., None]) & (solution <= following[..., None])
    return solution.where(valid, math.inf).amin(1)


class _Prefixes(torch.autograd.Function):
    """T = b / a - W0(-exp(b / a) / a), with dT/da and dT/db by the implicit function theorem."""

    @staticmethod
    def forward(ctx, a: Tensor, b: Tensor) -> Tensor:
        w = torch.from_numpy(lambertw((-torch.exp(b / a) / a).numpy()))
        x = (1 + w.real).where(w.imag == 0, math.nan)
        solution = b / a + 1 - x
        ctx.save_for_backward(a, x, solution)
        return solution

    @staticmethod
    def backward(ctx, *grad_outputs: Tensor) -> tuple[Tensor, Tensor]:
        a, x, solution = ctx.saved_tensors
        force = (grad_outputs[0] / (a * x)).where(grad_outputs[0] != 0, 0)
        return (-force * solution).where(force != 0, 0), force


def milliseconds(function: Callable[[], object], repeats: int) -> float:
    """Return the median over ``repeats`` calls, after one that warms up."""
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    function()
    taken = []
    for _ in range(repeats):
        start = clock()
        function()
        taken.append(1e3 * (clock() - start))
    return sorted(taken)[repeats // 2]


def ours(kernel, tau_ratio: float) -> Callable[[Tensor, Tensor], Tensor]:
    """Return a layer that uses ``kernel``."""

    def layer(times: Tensor, weights: Tensor) -> Tensor:
        return spike_times(
            times,
            weights,
            tau_syn=1.0,
            tau_mem=tau_ratio,
            threshold=1.0,
            delays=None,
            max_dw_norm=0.2,
            kernel=kernel,
        )

    return layer


def measure(layer: Callable[[Tensor, Tensor], Tensor], shape: Shape, repeats: int) -> tuple[float, float, Tensor]:
    """Return milliseconds of forward, milliseconds of a step, spike times."""
    times, weights = (tensor.requires_grad_() for tensor in problem(shape))

    def step() -> None:
        spikes = layer(times, weights)
        loss = spikes.where(torch.isfinite(spikes), 0).mean()
        torch.autograd.grad(loss, (times, weights))

    with torch.no_grad():
        spikes = layer(times, weights)
        forward = milliseconds(lambda: layer(times, weights), repeats)
    return forward, milliseconds(step, repeats), spikes


def main() -> None:
    """Measure every variant on the three shapes and print a table each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=20, help="steps per variant, after one that warms up")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch")
    parser.add_argument("--tau-ratio", type=int, default=1, choices=(1, 2), help="tau_mem / tau_syn")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    ratio = float(options.tau_ratio)
    for shape in SHAPES:
        neurons = shape.batch * shape.n_out
        variants = {
            "all prefixes (peer)": lambda times, weights: all_prefixes(times, weights, ratio),
            "torch": ours(first_spike_torch, ratio),
            "numba": ours(first_spike_numba, ratio),
        }
        if 8 * neurons * shape.n_in**2 > PEER_BYTES:
            del variants["all prefixes (peer)"]
        title = f"{shape.name}: {shape.batch} x {shape.n_in} x {shape.n_out}, tau_mem = {ratio:g} tau_syn"
        table = Table(
            "variant", "ns per neuron", "ms forward", "ms per step", "x first", "largest difference", title=title
        )
        first: tuple[float, Tensor] | None = None
        for name, layer in variants.items():
            slow = name != "numba" and shape.n_in > 500
            forward, step, spikes = measure(layer, shape, 3 if slow else options.repeats)
            first = first or (step, spikes)
            silent = torch.isinf(spikes)
            same = bool((silent == torch.isinf(first[1])).all())
            apart = f"{(spikes - first[1])[~silent].abs().max():.0e}" if same else "other neurons silent"
            table.add_row(
                name,
                f"{1e6 * forward / neurons:.0f}",
                f"{forward:.2f}",
                f"{step:.2f}",
                f"{first[0] / step:.1f}",
                apart,
            )
        Console().print(table)


if __name__ == "__main__":
    main()
