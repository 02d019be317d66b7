"""Test vectors as plain text for the testbenches, and what a testbench writes back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.targets.base import TestVectors
from lightning_neuro.targets.fpga.plan import LayerPlan

ALONE, STRESSED = 0, 1
"""Modes of a run: one sample at a time; random pauses and back-pressure, samples without a gap between them."""

STRESSED_RUNS = 2  # two, so that one sample follows another without a gap


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One pass of a sample through the network."""

    sample: int
    mode: int


def plan_runs(samples: int) -> tuple[Run, ...]:
    """Every sample alone, then the first ones again under stress."""
    alone = [Run(sample=k, mode=ALONE) for k in range(samples)]
    return (*alone, *(Run(sample=k % samples, mode=STRESSED) for k in range(STRESSED_RUNS)))


def write_vectors(folder: Path, layers: Sequence[LayerPlan], vectors: TestVectors) -> None:
    """Write stimulus and expectations of all runs.

    Args:
        folder: existing folder.
        layers: plans in order.
        vectors: input spikes and the golden recording.
    """
    runs = plan_runs(len(vectors.spikes))
    lines = stimulus_lines(vectors.spikes[..., layers[0].input_order], runs, numbers=layers[0].value_bits > 0)
    (folder / "stimulus.txt").write_text("\n".join(lines) + "\n")
    for index, layer in enumerate(layers):
        spikes, membranes = recorded(layer, vectors)
        lines = expected_lines(spikes, membranes, runs)
        (folder / f"expected_{index}.txt").write_text("\n".join(lines) + "\n")
    beats = output_beats(layers[-1], vectors, runs)
    (folder / "expected_output.txt").write_text("\n".join(" ".join(map(str, beat)) for beat in beats) + "\n")


def recorded(layer: LayerPlan, vectors: TestVectors) -> tuple[NDArray[Any], NDArray[Any]]:
    """Spikes and membranes of a layer [sample, step, neuron], neurons as the hardware numbers them."""
    of = vectors.expected
    return of.spikes[layer.name][..., layer.order], of.membrane[layer.name][..., layer.order]


def stimulus_lines(values: NDArray[np.integer[Any]], runs: Sequence[Run], *, numbers: bool) -> Iterator[str]:
    """Number of runs; per run "sample mode steps" and per step the count and addresses of its events.

    Args:
        values: input lines [sample, step, address]; lines at 0 have no event.
        runs: in order.
        numbers: write after every address the number on that line.

    >>> run = [Run(sample=0, mode=ALONE)]
    >>> list(stimulus_lines(np.array([[[0, 1, 1]]]), run, numbers=False))
    ['1', '0 0 1', '2 1 2']
    >>> list(stimulus_lines(np.array([[[0, -3, 1]]]), run, numbers=True))
    ['1', '0 0 1', '2 1 -3 2 1']
    """
    yield str(len(runs))
    for run in runs:
        yield f"{run.sample} {run.mode} {values.shape[1]}"
        for step in values[run.sample]:
            addresses = np.flatnonzero(step)
            events = np.stack([addresses, step[addresses]], axis=1).ravel() if numbers else addresses
            yield " ".join(map(str, (len(addresses), *events.tolist())))


def expected_lines(spikes: NDArray[np.uint8], membranes: NDArray[np.generic], runs: Sequence[Run]) -> Iterator[str]:
    """Per step: sample, step, the spikes and the membranes of all neurons of one layer."""
    for run in runs:
        for step in range(spikes.shape[1]):
            numbers = (*spikes[run.sample, step].tolist(), *membranes[run.sample, step].tolist())
            yield " ".join(map(str, (run.sample, step, *numbers)))


def output_beats(layer: LayerPlan, vectors: TestVectors, runs: Sequence[Run]) -> Iterator[tuple[int, int, int]]:
    """The output stream: (0, address, value) per event or membrane, (1, 0, 0) per tick, (2, 0, 0) for the last."""
    spikes, membranes = recorded(layer, vectors)
    steps = spikes.shape[1]
    for run in runs:
        for step in range(steps):
            if layer.emits_membranes:
                yield from ((0, k, int(v)) for k, v in enumerate(membranes[run.sample, step]))
            else:
                yield from ((0, int(k), 0) for k in np.flatnonzero(spikes[run.sample, step]))
            yield (2 if step == steps - 1 else 1, 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stream:
    """What left the artefact, decoded; neurons as the graph numbers them.

    Args:
        spikes: [run, step, neuron].
        membranes: [run, step, neuron]; zeros when the stream carries spikes.
    """

    spikes: NDArray[np.uint8]
    membranes: NDArray[np.int64]


def decode_stream(text: str, layer: LayerPlan, runs: int, steps: int) -> Stream:
    """Turn recorded beats into arrays; beats beyond the expected shape are dropped (the testbench counted them).

    Args:
        text: contents of ``output.txt``.
        layer: last layer.
        runs, steps: shape to fill.
    """
    spikes = np.zeros((runs, steps, layer.neurons), np.uint8)
    membranes = np.zeros((runs, steps, layer.neurons), np.int64)
    run = step = 0
    for kind, address, value in (map(int, line.split()) for line in text.splitlines()):
        if run >= runs:
            break
        if kind == 0 and step < steps and address < layer.neurons:
            if layer.emits_membranes:
                membranes[run, step, layer.order[address]] = value
            else:
                spikes[run, step, layer.order[address]] = 1
        elif kind == 1:
            step += 1
        elif kind == 2:
            run, step = run + 1, 0
    return Stream(spikes=spikes, membranes=membranes)
