"""The conversion as one function: fold, calibrate on training data, build the spiking network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from lightning_neuro.convert.bias import correct_biases
from lightning_neuro.convert.fold import fold
from lightning_neuro.convert.folded import FoldedNetwork
from lightning_neuro.convert.options import Conversion
from lightning_neuro.convert.spiking import SpikingNetwork, assemble
from lightning_neuro.convert.thresholds import collect, find_thresholds
from lightning_neuro.errors import DataError

Loader = Iterable[Any]
"""Batches of inputs [sample, ...], or tuples that begin with them, such as a ``DataLoader`` yields."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Converted:
    """A trained network and the spiking network made of it.

    Args:
        folded: the ANN, normalisation folded into its weights.
        network: the spiking network.
    """

    folded: FoldedNetwork
    network: SpikingNetwork

    @property
    def options(self) -> Conversion:
        """How it was converted."""
        return self.network.options


def convert(
    ann: nn.Module,
    calibration_loader: Loader,
    options: Conversion,
    *,
    progress: Callable[[int], None] | None = None,
) -> Converted:
    """Convert a trained network to spikes; the network itself is not changed.

    Args:
        ann: any module of ReLU, ReLU6 or QCFS activations that ``torch.fx`` can trace (see :func:`fold`).
        calibration_loader: batches of *training* data; thresholds and bias corrections come from them.
        options: every choice of the conversion; start from ``DEFAULT.replace(...)``.
        progress: called with the number of calibration samples just taken.

    Raises:
        GraphError: operations that have no spiking form, all in one table.
        DataError: the loader is empty, or its inputs cannot be coded as asked.
    """
    batches = inputs_of(calibration_loader)
    first = next(batches, None)
    if first is None or not len(first):
        raise DataError(
            "the calibration loader gave no samples",
            where="calibration_loader",
            why="firing thresholds are found from activations on training data",
            next_command="convert(ann, datamodule.train_dataloader(), options)",
        )
    folded = fold(ann, first[:8])
    kept: list[Tensor] = []

    def seen() -> Iterator[Tensor]:
        for batch in chain([first], batches):
            if sum(map(len, kept)) < options.bias_samples:
                kept.append(batch)
            if progress is not None:
                progress(len(batch))
            yield batch

    sampled = collect(folded, seen(), options.seed)
    network = assemble(folded, find_thresholds(folded, sampled, options), options)
    if kept:
        network = correct_biases(folded, network, torch.cat(kept)[: options.bias_samples])
    return Converted(folded=folded, network=network)


def inputs_of(loader: Loader) -> Iterator[Tensor]:
    """Inputs of every batch as float32 on the CPU, [sample, ...]."""
    for batch in loader:
        values = batch[0] if isinstance(batch, tuple | list) else batch
        yield values.detach().float().cpu()


def labelled(loader: Loader) -> Iterator[tuple[Tensor, Tensor]]:
    """Inputs and labels of every batch on the CPU."""
    for values, labels, *_ in loader:
        yield values.detach().float().cpu(), labels.detach().long().cpu()
