"""ANN to SNN on scikit-learn's digits beside spikingjelly: accuracy against time steps, seconds, five seeds.

    python benchmarks/ann2snn.py mlp cnn deep --seeds 5 --peer PEER/bin/python --cache outputs/ann2snn

``--peer`` is the Python of an environment with spikingjelly 2.0.0 (and torch, scikit-learn, loguru); without it only
our own rows are printed. Protocol: ``ann2snn_networks.py``. Our rows are converted for each T ("made for T") or once;
thresholds and biases come from training data alone. Seconds are of one thread's CPU time: 360 samples, 32 steps.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from ann2snn_networks import STEPS, Digits, accuracy, trained
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from lightning_neuro.convert import DEFAULT, QCFS, Conversion, convert, simulate

HERE = Path(__file__).parent
ONCE = {
    "max, v_init 0": DEFAULT.replace(norm="max", v_init=0.0, bias_samples=0, granularity="layer"),
    "99.9%, v_init 1/2": DEFAULT.replace(norm="percentile", bias_samples=0, granularity="layer"),
    "mse at 8": DEFAULT.replace(bias_samples=0),
    "mse at 8, biases": DEFAULT,
    "mse at 8, biases, sequential": DEFAULT.replace(schedule="layer_sequential"),
}
LEVELS = (4, 8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Accuracies in percent at each of ``STEPS``, mean over seeds, and CPU seconds."""

    name: str
    accuracy: list[float]
    convert: float
    run: float


def classes(
    network: nn.Module, options: Conversion, data: Digits, steps: tuple[int, ...]
) -> tuple[Tensor, float, float]:
    start = time.process_time()
    converted = convert(network, data.calibration(), options)
    middle = time.process_time()
    run = simulate(converted.network, data.test, steps, first_id=0, dtype=torch.float32, layers=None, count=False)
    return run.classes(), middle - start, time.process_time() - middle


def once(network: nn.Module, data: Digits, options: Conversion) -> tuple[list[float], float, float]:
    found, converting, running = classes(network, options, data, STEPS)
    return [accuracy(found[:, k], data.test_labels) for k in range(len(STEPS))], converting, running


def made_for_each(network: nn.Module, data: Digits, options: Conversion) -> tuple[list[float], float, float]:
    """One conversion for each T; seconds are of the one for the largest, run over all steps."""
    found = [classes(network, options.replace(steps=step), data, (step,)) for step in STEPS[:-1]]
    last, converting, running = classes(network, options.replace(steps=STEPS[-1]), data, STEPS)
    answers = [*(answer[:, 0] for answer, _, _ in found), last[:, -1]]
    return [accuracy(answer, data.test_labels) for answer in answers], converting, running


def measured(
    name: str, seeds: int, cache: Path, label: str, rule: Callable[..., tuple[list[float], float, float]]
) -> Row:
    rows = []
    for seed in range(seeds):
        network, data = trained(name, seed, nn.ReLU, cache / f"{name}{seed}.pt")
        rows.append(rule(network, data))
    columns = [np.mean(column, axis=0) for column in zip(*rows, strict=True)]
    return Row(name=label, accuracy=list(columns[0]), convert=float(columns[1]), run=float(columns[2]))


def own(name: str, seeds: int, cache: Path) -> list[Row]:
    rows = [measured(name, seeds, cache, label, partial(once, options=options)) for label, options in ONCE.items()]
    each = {
        "made for T": DEFAULT,
        "made for T, sequential": DEFAULT.replace(schedule="layer_sequential"),
    }
    return rows + [
        measured(name, seeds, cache, label, partial(made_for_each, options=options)) for label, options in each.items()
    ]


def peer(name: str, seeds: int, cache: Path, python: Path) -> list[Row]:
    command = [str(python), str(HERE / "ann2snn_peer.py"), str(cache), name, str(seeds)]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    found = [json.loads(line) for line in answer.stdout.splitlines() if line.startswith("{")]
    return [Row(name=x["mode"], accuracy=x["accuracy"], convert=x["convert"], run=x["run"]) for x in found]


def table(name: str, ann: float, ours: list[Row], theirs: list[Row]) -> Table:
    table = Table(title=f"{name}: ANN {ann:.2f} %", title_justify="left")
    for column in ("", *(f"T={step}" for step in STEPS), "convert s", "run s"):
        table.add_column(column, justify="left" if not column else "right")
    for rows, prefix in ((ours, ""), (theirs, "spikingjelly ")):
        for row in rows:
            table.add_row(
                prefix + row.name, *(f"{a:.2f}" for a in row.accuracy), f"{row.convert:.3f}", f"{row.run:.3f}"
            )
        table.add_section()
    if theirs:
        best = np.max([row.accuracy for row in theirs], axis=0)
        gain = np.array(ours[-2].accuracy) - best
        fastest = min(row.run for row in theirs) / ours[-2].run
        table.add_row("spikingjelly, best at each T", *(f"{a:.2f}" for a in best), "", "")
        table.add_row("made for T minus that", *(f"{a:+.2f}" for a in gain), "", f"{fastest:.1f}x")
    return table


def qcfs(name: str, seeds: int, cache: Path, console: Console) -> None:
    """Layer-sequential at T = L: how many classes differ from the quantised ANN's."""
    for levels in LEVELS:
        differing, scores, right = 0, 0, []
        for seed in range(seeds):
            activation = partial(QCFS, levels=levels, initial=4.0)
            network, data = trained(name, seed, activation, cache / f"{name}{seed}_qcfs{levels}.pt")
            options = DEFAULT.replace(schedule="layer_sequential", bias_samples=0, steps=levels)
            found, _, _ = classes(network, options, data, (levels,))
            with torch.no_grad():
                wanted = network(data.test).argmax(1)
            differing += int((found[:, 0] != wanted).sum())
            scores += len(wanted)
            right.append(accuracy(found[:, 0], data.test_labels))
        console.print(f"{name}, QCFS L = {levels}, layer-sequential, T = {levels}: {np.mean(right):.2f} %, "
                      f"{differing} of {scores} predictions differ from the ANN's")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("networks", nargs="*", default=["mlp", "cnn"])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--peer", type=Path)
    parser.add_argument("--cache", type=Path, default=Path("outputs/ann2snn"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    console = Console(width=max(120, Console().width), file=sys.stdout)
    for name in arguments.networks:
        anns = []
        for seed in range(arguments.seeds):
            network, data = trained(name, seed, nn.ReLU, arguments.cache / f"{name}{seed}.pt")
            with torch.no_grad():
                anns.append(accuracy(network(data.test).argmax(1), data.test_labels))
        ours = own(name, arguments.seeds, arguments.cache)
        theirs = peer(name, arguments.seeds, arguments.cache, arguments.peer) if arguments.peer else []
        console.print(table(name, float(np.mean(anns)), ours, theirs))
        qcfs(name, arguments.seeds, arguments.cache, console)


if __name__ == "__main__":
    main()
