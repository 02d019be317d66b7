"""Milliseconds per training step: native neurons against snnTorch's and Norse's loops, in one process.

    python benchmarks/neurons.py [--repeats 15] [--threads 1]

A step is forward, cross-entropy on spike counts, backward and AdamW. All variants have the same weights, constants,
reset (zero, at once) and input spikes; the first loss is printed so that equality can be seen. Two shapes: A like
MNIST with 16 steps, B longer and sparser, like spoken digits as events.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass

import norse.torch as norse
import snntorch
import torch
from rich.console import Console
from rich.table import Table
from snntorch.surrogate import fast_sigmoid
from torch import Tensor, nn

from lightning_neuro.neurons import LIF, make_surrogate
from lightning_neuro.neurons.spike_matmul import EventLinear

BETA, THRESHOLD, DT = 0.875, 1.0, 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Sizes of a workload; density is the share of ones in the input."""

    name: str
    inputs: int
    hidden: int
    outputs: int
    steps: int
    batch: int
    density: float


SHAPES = (
    Shape(name="A", inputs=784, hidden=128, outputs=10, steps=16, batch=128, density=0.10),
    Shape(name="B", inputs=700, hidden=256, outputs=20, steps=100, batch=64, density=0.02),
)


def weights(shape: Shape) -> tuple[Tensor, Tensor]:
    """Return first- and second-layer weights that make the hidden layer fire."""
    generator = torch.Generator().manual_seed(0)
    first = torch.randn(shape.hidden, shape.inputs, generator=generator) * (0.5 / (shape.density * shape.inputs) ** 0.5)
    second = torch.randn(shape.outputs, shape.hidden, generator=generator) * 0.2
    return first, second


class Native(nn.Module):
    """Whole sequences; ``linear`` chooses the dense or the event-driven product."""

    def __init__(self, shape: Shape, linear: type[nn.Linear]) -> None:
        super().__init__()
        sizes = (shape.inputs, shape.hidden, shape.outputs)
        self.linears = nn.ModuleList(linear(a, b, bias=False) for a, b in itertools.pairwise(sizes))
        self.neurons = nn.ModuleList(native_layer(size) for size in sizes[1:])

    def forward(self, raster: Tensor) -> Tensor:
        """Return spike counts [batch, class] of a raster [time, batch, n_in]."""
        signal = raster if isinstance(self.linears[0], EventLinear) else raster.float()
        for linear, neurons in zip(self.linears, self.neurons, strict=True):
            signal, _ = neurons(linear(signal))
        return signal.sum(0)


def native_layer(size: int) -> LIF:
    """Return neurons with the constants of the benchmark."""
    return LIF(
        size,
        beta=BETA,
        alpha=None,
        threshold=THRESHOLD,
        reset="zero",
        reset_delay=0,
        learn_beta=False,
        learn_alpha=False,
        learn_threshold=False,
        beta_constraint="none",
        surrogate=make_surrogate("fast_sigmoid", 25.0),
    )


class SnnTorchLoop(nn.Module):
    """The loop of snnTorch's tutorials: linear and Leaky at each step."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        sizes = (shape.inputs, shape.hidden, shape.outputs)
        self.linears = nn.ModuleList(nn.Linear(a, b, bias=False) for a, b in itertools.pairwise(sizes))
        grad = fast_sigmoid(slope=25)
        self.cells = nn.ModuleList(
            snntorch.Leaky(beta=BETA, threshold=THRESHOLD, reset_mechanism="zero", reset_delay=False, spike_grad=grad)
            for _ in sizes[1:]
        )

    def forward(self, raster: Tensor) -> Tensor:
        """Return spike counts [batch, class] of a raster [time, batch, n_in]."""
        membranes: list[Tensor | None] = [
            torch.zeros(raster.shape[1], linear.out_features)  # type: ignore[call-overload]
            for linear in self.linears
        ]
        counts = []
        for signal in raster.float():
            for k, (linear, cell) in enumerate(zip(self.linears, self.cells, strict=True)):
                signal, membranes[k] = cell(linear(signal), membranes[k])
            counts.append(signal)
        return torch.stack(counts).sum(0)


class NorseLoop(nn.Module):
    """Norse's SequentialState of Linear and LIFBoxCell, stepped over time; the drive is scaled by 1 / (1 - beta)."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        parameters = norse.LIFBoxParameters(
            tau_mem_inv=torch.tensor((1 - BETA) / DT), v_th=torch.tensor(THRESHOLD * (1 - BETA))
        )
        sizes = (shape.inputs, shape.hidden, shape.outputs)
        self.linears = nn.ModuleList(nn.Linear(a, b, bias=False) for a, b in itertools.pairwise(sizes))
        cells = [norse.LIFBoxCell(parameters, dt=DT) for _ in sizes[1:]]
        self.network = norse.SequentialState(self.linears[0], cells[0], self.linears[1], cells[1])

    def forward(self, raster: Tensor) -> Tensor:
        """Return spike counts [batch, class] of a raster [time, batch, n_in]."""
        state, counts = None, []
        for signal in raster.float():
            spikes, state = self.network(signal, state)
            counts.append(spikes)
        return torch.stack(counts).sum(0)


VARIANTS: dict[str, Callable[[Shape], nn.Module]] = {
    "snnTorch Leaky, loop": SnnTorchLoop,
    "Norse LIFBoxCell, loop": NorseLoop,
    "native, dense product": lambda shape: Native(shape, nn.Linear),
    "native, event-driven product": lambda shape: Native(shape, EventLinear),
}


def measure(shape: Shape, build: Callable[[Shape], nn.Module], repeats: int) -> tuple[float, float]:
    """Return (median milliseconds per step, first loss)."""
    generator = torch.Generator().manual_seed(1)
    raster = (torch.rand(shape.steps, shape.batch, shape.inputs, generator=generator) < shape.density).to(torch.uint8)
    labels = torch.arange(shape.batch) % shape.outputs
    model = build(shape)
    with torch.no_grad():
        for linear, weight in zip(model.linears, weights(shape), strict=True):  # type: ignore[arg-type]
            linear.weight.copy_(weight)  # type: ignore[union-attr, operator]
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6)
    times, first = [], 0.0
    for repeat in range(repeats + 2):
        start = time.perf_counter()
        loss = nn.functional.cross_entropy(model(raster), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        times.append(1e3 * (time.perf_counter() - start))
        first = float(loss.detach()) if repeat == 0 else first
    return sorted(times[2:])[repeats // 2], first


def main() -> None:
    """Measure every variant on both shapes and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15, help="steps per variant, after two that warm up")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    for shape in SHAPES:
        title = f"{shape.name}: {shape.inputs}-{shape.hidden}-{shape.outputs}, {shape.steps} steps, batch {shape.batch}"
        table = Table("variant", "ms per step", "x snnTorch", "first loss", title=f"{title}, density {shape.density}")
        reference = None
        for name, build in VARIANTS.items():
            milliseconds, loss = measure(shape, build, options.repeats)
            reference = reference or milliseconds
            table.add_row(name, f"{milliseconds:.1f}", f"{reference / milliseconds:.1f}", f"{loss:.5f}")
        Console().print(table)


if __name__ == "__main__":
    main()
