"""Runs a first-spike network on its test samples and writes the pictures of what it does.

``write_pictures`` at the end of a run; ``python -m lightning_neuro.report.spike_time_pictures BEST.ckpt`` later.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lightning_neuro.checkpoint import load_record
from lightning_neuro.data.spike_time_coding import SpikeTimeCoding
from lightning_neuro.data.spike_time_set import SpikeTimeSet
from lightning_neuro.data.yin_yang import CLASSES as YIN_YANG_CLASSES
from lightning_neuro.errors import CheckpointError
from lightning_neuro.models.spike_time import SpikeTimeClassifier, first_to_spike
from lightning_neuro.report import spike_time_plots as plots
from lightning_neuro.report.model import Plot

Array = NDArray[Any]
FOLDER = "pictures"
_GRID = 201  # points per side of the plane
_MOST_SAMPLES = 2000  # pictures do not get clearer with more
_HIDDEN_MAPS = 12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Run:
    """What the pictures are drawn from.

    Args:
        inputs: [sample, n_in] spike times, units of tau_syn.
        layers: [sample, neuron] spike times of every layer, last = output.
        labels: [sample] right classes.
        answers: [sample] the network's classes, -1 = no spike.
        names: of the classes.
    """

    inputs: Array
    layers: tuple[Array, ...]
    labels: Array
    answers: Array
    names: tuple[str, ...]


def write_pictures(
    model: SpikeTimeClassifier, samples: SpikeTimeSet, coding: SpikeTimeCoding, moved: Mapping[str, Array], folder: Path
) -> list[Path]:
    """Write the pictures of a network into ``folder/pictures``; returns the files.

    Args:
        model: the network.
        samples: what it is run on; the first 2000.
        coding: how values became spike times.
        moved: parameters during training [epoch, parameter] by name; may be empty.
        folder: of the run.
    """
    run = run_on(model, samples.take(slice(_MOST_SAMPLES)))
    pictures = {
        "confusion": plots.confusion_matrix(run.labels, run.answers, run.names),
        "sorted_outputs": plots.sorted_outputs(run.layers[-1], run.labels, run.names),
        "spike_times": plots.time_histograms(_hidden(run, with_input=True), run.layers[-1], run.labels),
        "weights": plots.weight_histograms(_parameters(model)),
    }
    if len(run.layers) > 1:
        pictures["hidden_times"] = plots.hidden_times(_hidden(run, with_input=False))
    if mirrored(run.inputs):
        pictures |= _plane_pictures(model, run, coding)
    if moved:
        pictures["trajectories"] = plots.trajectories(moved)
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    files = []
    for name, picture in pictures.items():
        files.append(folder / FOLDER / f"{name}.png")
        files[-1].write_bytes(picture.png)
    return files


def run_on(model: SpikeTimeClassifier, samples: SpikeTimeSet) -> Run:
    """Return the spike times of every layer for ``samples``."""
    layers = _times(model, samples.times)
    classes = layers[-1].shape[1]
    plane = classes == len(YIN_YANG_CLASSES) and mirrored(samples.times)
    return Run(
        inputs=samples.times,
        layers=layers,
        labels=samples.labels,
        answers=first_to_spike(torch.from_numpy(layers[-1])).numpy(),
        names=YIN_YANG_CLASSES if plane else tuple(map(str, range(classes))),
    )


def mirrored(times: Array) -> bool:
    """Return whether the inputs are (x, y, 1 - x, 1 - y), so that two of them span a plane."""
    if times.shape[1] != 4 or not np.isfinite(times).all():
        return False
    return bool(np.ptp(times[:, :2] + times[:, 2:]) < 1e-9)


@torch.no_grad()
def _times(model: SpikeTimeClassifier, times: Array) -> tuple[Array, ...]:
    device = next(model.parameters()).device
    with torch.random.fork_rng(devices=[]):  # hardware noise must not change what follows
        return tuple(layer.cpu().numpy() for layer in model.layer_times(torch.from_numpy(times).to(device)))


def _hidden(run: Run, *, with_input: bool) -> dict[str, Array]:
    hidden = {f"layer {number}": times for number, times in enumerate(run.layers[:-1], start=1)}
    return {"input": run.inputs} | hidden if with_input else hidden


def _parameters(model: SpikeTimeClassifier) -> dict[str, Array]:
    found: dict[str, Array] = {}
    for number, layer in enumerate(model.network.layers, start=1):
        found[f"layer {number}: weights"] = layer.effective_weights().detach().cpu().numpy()  # type: ignore[operator]
        if layer.delays is not None:
            found[f"layer {number}: delays (τ_syn)"] = layer.delays().detach().cpu().numpy()  # type: ignore[operator]
    return found


def _plane_pictures(model: SpikeTimeClassifier, run: Run, coding: SpikeTimeCoding) -> dict[str, Plot]:
    """Pictures over the plane of the first two inputs."""
    x, y = np.meshgrid(np.linspace(0, 1, _GRID), np.linspace(0, 1, _GRID))
    inside = np.hypot(x - 0.5, y - 0.5) <= 0.5
    values = np.stack([x[inside], y[inside], 1 - x[inside], 1 - y[inside]], 1)
    length = coding.t_late - coding.t_early
    layers = _times(model, coding.t_early + values * length)
    answers = np.full(x.shape, -2)
    answers[inside] = first_to_spike(torch.from_numpy(layers[-1])).numpy()
    points = (run.inputs[:, :2] - coding.t_early) / length
    outputs = {f"{name}": _map(layers[-1][:, n], inside) for n, name in enumerate(run.names)}
    pictures = {
        "class_map": plots.class_map(answers, points, run.labels, run.answers, run.names),
        "output_maps": plots.time_maps(outputs, "Spike times of the output neurons"),
    }
    if len(layers) > 1:
        chosen = _telling(layers[-2])
        hidden = {f"neuron {n}": _map(layers[-2][:, n], inside) for n in chosen}
        pictures["hidden_maps"] = plots.time_maps(hidden, "Spike times of hidden neurons")
    return pictures


def _map(times: Array, inside: Array) -> Array:
    values = np.full(inside.shape, np.nan)
    values[inside] = times
    return values


def _telling(times: Array) -> Sequence[int]:
    """Neurons whose spike times vary most over the samples, silence counting as late; in the order of their number."""
    capped = np.where(np.isfinite(times), times, times[np.isfinite(times)].max(initial=0.0))
    return sorted(int(n) for n in np.argsort(-capped.std(0), kind="stable")[:_HIDDEN_MAPS])


def main(arguments: Sequence[str]) -> None:
    """Write the pictures of checkpoints beside them."""
    for path in map(Path, arguments):
        print(*pictures_of_checkpoint(path), sep="\n")


def pictures_of_checkpoint(path: Path) -> list[Path]:
    """Write the pictures of a checkpoint beside it; returns the files.

    Raises:
        CheckpointError: the file is damaged, was written without the ParameterBuffers callback, or by another model.
    """
    record = load_record(path)
    lines = record.evaluation
    if not isinstance(lines, SpikeTimeSet):
        raise CheckpointError(
            "this is no checkpoint of a first-spike network",
            where=str(path),
            why="the pictures show spike times, and it holds rasters or nothing",
            next_command="use a checkpoint of: python train.py model=spike_time data=yin_yang",
        )
    model = SpikeTimeClassifier.load_from_checkpoint(path, map_location="cpu", weights_only=True).eval()
    coding = SpikeTimeCoding.from_dict(record.metadata.coding)  # type: ignore[arg-type]
    inputs = lines.times[:, : model.hparams["layers"][0]] / model.hparams["tau_syn"]  # bias spikes are further lines
    samples = SpikeTimeSet(times=inputs, labels=lines.labels)
    return write_pictures(model, samples, coding, {}, path.parent)


if __name__ == "__main__":
    main(sys.argv[1:])
