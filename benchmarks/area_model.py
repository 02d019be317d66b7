"""Measure, with Yosys, networks of many shapes and fit the area model that searches use.

    python benchmarks/area_model.py measure [NAME ...]   # synthesise what results.jsonl does not hold yet
    python benchmarks/area_model.py fit                  # coefficients, and the error on networks that were left out

Networks named ``test*`` are never used for the fit. Cells: Yosys synth_xilinx -family xc7, hierarchy kept.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.optimize import nnls

from lightning_neuro.graph import golden
from lightning_neuro.graph.hardware_graph import (
    CubaLif,
    Dense,
    HardwareGraph,
    Input,
    Leak,
    Lif,
    Population,
    Projection,
    ReadoutKind,
    Reset,
    ResetKind,
    TimeBase,
    Values,
)
from lightning_neuro.graph.quantize import choose_formats, quantize
from lightning_neuro.graph.widths import QuantizeSpec
from lightning_neuro.targets.base import Job, TestVectors
from lightning_neuro.targets.fpga import FpgaTarget, yosys
from lightning_neuro.targets.fpga.area import LayerShape, block_rams, features, luts, shape_of
from lightning_neuro.targets.fpga.prove_verilog import translate
from lightning_neuro.targets.fpga.subject import Subject

RESULTS = Path(__file__).parent / "area" / "results.jsonl"
COEFFICIENTS = Path(__file__).parents[1] / "lightning_neuro" / "targets" / "fpga" / "area.json"
TIMEOUT_S = 3600.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A network to synthesise."""

    name: str
    sizes: tuple[int, ...]
    lanes: tuple[int, ...] | str
    weight_bits: int
    state_bits: int
    leak_bits: int
    beta: float
    reset: str
    reset_delay: int
    tau_syn: bool
    readout: str
    bias: bool
    varied: bool
    v_init: float


def shapes() -> list[Shape]:
    """The fit's networks, drawn once for all, and the five that only test it."""
    rng = np.random.default_rng(7)
    drawn = []
    for k in range(36):
        layers = int(rng.integers(1, 4))
        hidden = (int(rng.choice([10, 16, 24, 32, 64, 128])) for _ in range(layers))
        sizes = (int(rng.choice([16, 40, 64, 128, 256, 784])), *hidden)
        lanes = tuple(int(min(n, rng.choice([1, 2, 4, 8, 16, 32, n]))) for n in sizes[1:])
        drawn.append(
            Shape(
                name=f"fit{k}",
                sizes=sizes,
                lanes=lanes,
                weight_bits=int(rng.integers(2, 11)),
                state_bits=int(rng.integers(6, 19)),
                leak_bits=int(rng.choice([3, 4, 8])),
                beta=float(rng.choice([0.875, 0.9, 0.9375, 1.0], p=[0.4, 0.3, 0.2, 0.1])),
                reset=str(rng.choice(["zero", "subtract"])),
                reset_delay=int(rng.choice([0, 0, 1])),
                tau_syn=bool(rng.random() < 0.2),
                readout=str(rng.choice(["spike_count", "spike_count", "membrane_max"])),
                bias=bool(rng.random() < 0.25),
                varied=bool(rng.random() < 0.2),
                v_init=float(rng.choice([0.0, 0.0, 0.5])),
            )
        )
    base = {"beta": 0.875, "reset": "zero", "reset_delay": 0, "tau_syn": False, "readout": "spike_count",
            "bias": False, "varied": False, "v_init": 0.0}  # fmt: skip
    tests = [
        Shape(name="test0", sizes=(64, 128, 10), lanes="auto", weight_bits=6, state_bits=12, leak_bits=8, **base),
        Shape(name="test1", sizes=(784, 128, 10), lanes="auto", weight_bits=6, state_bits=12, leak_bits=8, **base),
        Shape(name="test2", sizes=(784, 128, 10), lanes=(16, 2), weight_bits=4, state_bits=8, leak_bits=3, **base),
        Shape(name="test3", sizes=(40, 100, 50, 20), lanes="auto", weight_bits=8, state_bits=14, leak_bits=8,
              **(base | {"reset": "subtract", "reset_delay": 1, "beta": 0.9})),
        Shape(name="test4", sizes=(256, 200, 10), lanes=(20, 5), weight_bits=5, state_bits=10, leak_bits=4,
              **(base | {"readout": "membrane_max", "beta": 0.95})),
    ]  # fmt: skip
    return drawn + tests


def network(shape: Shape) -> HardwareGraph:
    """The quantised graph of a shape, with Laplace-distributed weights."""
    rng = np.random.default_rng(0)
    names = ["input", *(f"layer{k}" for k in range(1, len(shape.sizes)))]
    populations, projections = [], []
    for k, (n_in, n) in enumerate(itertools.pairwise(shape.sizes)):
        zeros, ones = np.zeros(n), np.ones(n)
        last = k == len(shape.sizes) - 2 and shape.readout.startswith("membrane")
        kind = ResetKind.NONE if last else ResetKind(shape.reset)
        bias = rng.normal(0.0, 0.1, n) if shape.bias else zeros
        threshold = rng.uniform(0.8, 1.2, n) if shape.varied else ones
        constants = {
            "leak_mem": Leak(beta=shape.beta * ones),
            "threshold": Values(real=threshold),
            "v_reset": Values(real=zeros),
            "v_init": Values(real=shape.v_init * ones),
            "reset": Reset(kind=kind, delay=0 if last else shape.reset_delay),
        }
        neuron = CubaLif(leak_syn=Leak(beta=0.8 * ones), **constants) if shape.tau_syn else Lif(**constants)
        populations.append(
            Population(
                name=names[k + 1], shape=(n,), neuron=neuron, bias=Values(real=bias), fires_from=0, fires_until=None
            )
        )
        weight = Values(real=rng.laplace(0.0, 1.5 / np.sqrt(n_in), (n, n_in)))
        projections.append(Projection(pre=names[k], post=names[k + 1], connection=Dense(weight=weight), delay=0))
    graph = HardwareGraph(
        input=Input(name="input", shape=(shape.sizes[0],), format=None),
        populations=tuple(populations),
        projections=tuple(projections),
        output=names[-1],
        readout=ReadoutKind(shape.readout),
        time=TimeBase.STEPPED,
        dt_s=1e-3,
        steps=16,
        coding={},
    )
    spec = QuantizeSpec(weight_bits=shape.weight_bits, state_bits=shape.state_bits, leak_bits=shape.leak_bits)
    return quantize(graph, choose_formats(graph, spec, membrane_range=dict.fromkeys(names[1:], 4.0)))


def synthesise(shape: Shape) -> dict[str, object]:
    """Cells of a shape and what the model sees of it."""
    graph = network(shape)
    lanes = shape.lanes if isinstance(shape.lanes, str) else list(shape.lanes)
    target = FpgaTarget(lanes=lanes, clock_mhz=100.0, part="xc7z020clg400-1", synthesis=True, timeout_s=TIMEOUT_S)
    if broken := target.check(graph):
        return {"name": shape.name, "refused": [violation.what for violation in broken]}
    spikes = np.zeros((1, 2, graph.input.size), np.uint8)
    expected = golden.run(graph, spikes, arithmetic="fixed", record=True)
    vectors = TestVectors(spikes=spikes, expected=expected, labels=np.full(1, -1))
    layers, start = target.plan(graph), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        artefact, work = Path(folder) / "artefact", Path(folder) / "work"
        artefact.mkdir()
        work.mkdir()
        target.write(Job(graph=graph, real_graph=graph, vectors=vectors, record=None), artefact)
        subject = Subject(
            graph=graph, layers=layers, artefact=artefact, vectors=vectors, clock_mhz=100.0, timeout_s=TIMEOUT_S
        )
        verilog, _ = translate(subject, work)
        yosys.synthesise(layers, verilog, TIMEOUT_S, flatten=False)
        cells = yosys.resources((work / yosys.STATISTICS).read_text())
    seconds = round(time.perf_counter() - start, 1)
    plain = [dataclasses.asdict(shape_of(layer)) for layer in layers]
    return {"name": shape.name, "cells": cells, "layers": plain, "seconds": seconds}


def measured() -> dict[str, dict]:
    """What was synthesised already, by name."""
    if not RESULTS.is_file():
        return {}
    lines = (json.loads(line) for line in RESULTS.read_text().splitlines())
    return {line["name"]: line for line in lines}


def measure(wanted: list[str]) -> None:
    """Synthesise the shapes that are missing, one line of JSON each."""
    done = measured()
    RESULTS.parent.mkdir(exist_ok=True)
    for shape in shapes():
        if shape.name in done or (wanted and shape.name not in wanted):
            continue
        result = synthesise(shape)
        with RESULTS.open("a") as stream:
            stream.write(json.dumps(result) + "\n")
        print(shape.name, shape.sizes, shape.lanes, result.get("cells", result.get("refused")), flush=True)


def fit() -> None:
    """Least squares of relative errors with coefficients that are not negative; written where searches read them."""
    found = [result for result in measured().values() if "cells" in result]
    layers = {result["name"]: [LayerShape(**plain) for plain in result["layers"]] for result in found}
    names = list(features(next(iter(layers.values()))[0]))
    table = {name: [sum(features(layer)[term] for layer in of) for term in names] for name, of in layers.items()}
    lut = {result["name"]: float(result["cells"]["lut"]) for result in found}
    used = [name for name in table if name.startswith("fit")]
    relative = np.array([np.array(table[name]) / lut[name] for name in used])
    weights, _ = nnls(relative, np.ones(len(used)))
    chosen = {term: round(float(weight), 4) for term, weight in zip(names, weights, strict=True)}
    rows = []
    for result in found:
        name, cells = result["name"], result["cells"]
        guess, blocks = luts(layers[name], chosen), sum(block_rams(layer) for layer in layers[name])
        rows.append((name, lut[name], guess, guess / lut[name] - 1, cells["ramb18"] + 2 * cells["ramb36"], blocks))
    errors = {kind: np.array([abs(row[3]) for row in rows if row[0].startswith(kind)]) for kind in ("fit", "test")}
    stated = {kind: {"mean": round(float(e.mean()), 4), "max": round(float(e.max()), 4), "networks": len(e)}
              for kind, e in errors.items() if len(e)}  # fmt: skip
    COEFFICIENTS.write_text(json.dumps({"lut": chosen, "relative_error": stated}, indent=1) + "\n")
    show(rows, stated)


def show(rows: list[tuple[str, float, float, float, int, int]], stated: dict[str, dict[str, float]]) -> None:
    """Print measured and predicted numbers side by side."""
    table = Table("network", "LUT", "model", "error", "RAMB18", "model")
    for name, lut, guess, error, blocks, predicted in rows:
        table.add_row(name, f"{lut:,.0f}", f"{guess:,.0f}", f"{100 * error:+.1f} %", str(blocks), str(predicted))
    console = Console()
    console.print(table)
    console.print(stated)


def main() -> None:
    """Measure or fit."""
    command, *rest = sys.argv[1:] or [""]
    if command == "measure":
        measure(rest)
    else:
        fit()


if __name__ == "__main__":
    main()
