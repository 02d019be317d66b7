"""A target in a package of its own: dense chains of LIF neurons as integers in a file, run by numpy alone."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.errors import Violation
from lightning_neuro.graph.golden import Arithmetic, decide, read_out, weight_shift
from lightning_neuro.graph.hardware_graph import Dense, HardwareGraph, Lif, Population, ResetKind
from lightning_neuro.graph.widths import DEFAULT_SPEC
from lightning_neuro.report import Check, Outcome
from lightning_neuro.targets.base import Job, Progress, Verification, share_right
from lightning_neuro.targets.rules import binary_input, stepped_time

README = "Run `python runner.py`: it reads network.npz and samples.npz and writes answers.npz.\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToyTarget:
    """Integers in ``network.npz`` and a program of 40 lines that runs them.

    Args:
        most_neurons: of a layer.
    """

    most_neurons: int

    name = "toy"
    default_spec = DEFAULT_SPEC
    discretisation = None

    def arithmetic_for(self, graph: HardwareGraph) -> Arithmetic:
        """Integers."""
        return "fixed"

    def own_rounding(self, graph: HardwareGraph, integers: HardwareGraph | None) -> None:
        """Integers as every target takes them."""
        return None

    def default_samples(self, graph: HardwareGraph) -> int:
        """Inputs run through the artefact where the user names no number."""
        return 16

    def check(self, graph: HardwareGraph) -> tuple[Violation, ...]:
        """Every constraint the graph breaks."""
        return (*stepped_time(graph), *binary_input(graph), *_neurons(graph, self.most_neurons), *_chain(graph))

    def write(self, job: Job, folder: Path) -> None:
        """Write network, recorded samples and the program into an empty folder."""
        np.savez(folder / "network.npz", **_network(job.graph))
        np.savez(folder / "samples.npz", spikes=job.vectors.spikes)
        shutil.copy(Path(__file__).with_name("runner.py"), folder)
        (folder / "README.md").write_text(README)

    def verify(self, job: Job, folder: Path, progress: Progress) -> Verification:
        """Run the program in its folder and compare every spike and membrane with the golden model."""
        started = time.perf_counter()
        subprocess.run([sys.executable, "-I", folder / "runner.py"], check=True, capture_output=True, timeout=60)
        answers = dict(np.load(folder / "answers.npz"))
        graph, expected = job.graph, job.vectors.expected
        wanted = {f"{name}.spikes": raster for name, raster in expected.spikes.items()}
        wanted |= {f"{name}.membrane": values for name, values in expected.membrane.items()}
        differing = sum(int((answers[key] != values).sum()) for key, values in wanted.items())
        spikes, membrane = (answers[f"{graph.output}.{kind}"] for kind in ("spikes", "membrane"))
        classes = decide(graph, read_out(graph.readout, spikes, membrane))
        seconds = time.perf_counter() - started
        check = Check(
            name="numpy_bit_exact",
            outcome=Outcome.FAILED if differing else Outcome.PASSED,
            expected="0 differing spikes and membranes",
            got=f"{sum(values.size for values in wanted.values())} values compared, {differing} differ",
            detail=f"{len(spikes)} sample(s)",
            seconds=seconds,
        )
        return Verification(
            checks=(check,),
            resources={"weights": sum(p.connection.weight.real.size for p in graph.projections)},
            assumptions=(),
            seconds={"numpy": seconds},
            accuracy=share_right(classes, job.vectors.labels),
        )


def _neurons(graph: HardwareGraph, most: int) -> Iterator[Violation]:
    """LIF neurons that reset at once, spike in every step, and have no biases that come late."""
    for p in graph.populations:
        plain = p.fires_from == 0 and p.fires_until is None and not p.late_biases
        if not (isinstance(p.neuron, Lif) and p.neuron.reset.delay == 0 and plain):
            yield Violation(
                where=p.name,
                what="neuron",
                needed=type(p.neuron).__name__,
                available="Lif with reset_delay=0, in all steps",
                remedy="model.tau_syn=null model.reset_delay=0   (train again)",
            )
        if p.size > most:
            yield Violation(
                where=p.name,
                what="neurons",
                needed=str(p.size),
                available=str(most),
                remedy=f"target.most_neurons={p.size}",
            )


def _chain(graph: HardwareGraph) -> Iterator[Violation]:
    """Every layer is fed by the one before, through a matrix, without delay."""
    before = graph.input.name
    for p in graph.populations:
        if [(x.pre, x.delay, type(x.connection)) for x in graph.into(p.name)] != [(before, 0, Dense)]:
            yield Violation(
                where=p.name,
                what="connection",
                needed="other than one matrix from the layer before",
                available="a chain of fully connected layers",
                remedy="model=lif   (train again)",
            )
        before = p.name


def _network(graph: HardwareGraph) -> dict[str, NDArray[Any]]:
    """All integers by ``<layer>.<name>``, and the order of the layers."""
    found: dict[str, NDArray[Any]] = {"layers": np.array([p.name for p in graph.populations])}
    for population in graph.populations:
        found |= {f"{population.name}.{key}": np.asarray(x) for key, x in _layer(graph, population).items()}
    return found


def _layer(graph: HardwareGraph, population: Population) -> dict[str, Any]:
    neuron, state, (projection,) = population.neuron, population.state_format, graph.into(population.name)
    assert isinstance(neuron, Lif) and state is not None
    leak, leak_shift = neuron.leak_mem.integers()
    return {
        "weight": projection.connection.weight.integers(),
        "shift": weight_shift(projection, population, graph.input),
        "bias": population.bias.integers(),
        "leak": leak,
        "leak_shift": leak_shift,
        "threshold": neuron.threshold.integers(),
        "v_reset": neuron.v_reset.integers(),
        "v_init": neuron.v_init.integers(),
        "may_spike": neuron.reset.kind is not ResetKind.NONE,
        "subtracts": neuron.reset.kind is ResetKind.SUBTRACT,
        "low": state.low,
        "high": state.high,
    }
