"""Recorded spike times with their labels: what a first-spike network is checked on, whoever computes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lightning_neuro.errors import DataError

Packed = dict[str, "Tensor | str | int"]
_FORMAT = 1
KIND = "times"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpikeTimeSet:
    """Encoded samples with their labels.

    Args:
        times: [samples, n_in] float64, inf = no spike. Data modules count in tau_syn; the inputs of a network in a
            checkpoint, bias lines included, in seconds.
        labels: [samples] int64 class numbers.

    Raises:
        DataError: shapes or types are not these, or a time is negative or NaN.
    """

    times: np.ndarray
    labels: np.ndarray

    def __post_init__(self) -> None:
        kinds = self.times.dtype == np.float64 and self.labels.dtype == np.int64
        shapes = self.times.ndim == 2 and self.labels.shape == self.times.shape[:1]
        if not (kinds and shapes and bool((self.times >= 0).all())):
            raise DataError(
                f"times {self.times.dtype}{list(self.times.shape)} and labels {self.labels.dtype}"
                f"{list(self.labels.shape)} do not make a set of samples",
                where="SpikeTimeSet",
                why="needed are times >= 0 (inf = no spike) float64 [samples, inputs] and labels int64 [samples]",
                next_command="convert the arrays before building the SpikeTimeSet",
            )

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: np.ndarray | slice) -> SpikeTimeSet:
        """Return a part of the samples."""
        return SpikeTimeSet(times=self.times[index], labels=self.labels[index])

    def pack(self) -> Packed:
        """Return plain tensors, strings and integers, for a checkpoint.

        Where few times are distinct (grey values have 256), each is kept once: a quarter of the bytes.
        """
        values, index = np.unique(self.times, return_inverse=True)
        packed: Packed = {"format": _FORMAT, "kind": KIND, "labels": torch.from_numpy(np.array(self.labels))}
        if len(values) < min(2**15, self.times.size // 4):
            body = index.reshape(self.times.shape).astype(np.int16)
            return {**packed, "values": torch.from_numpy(values), "body": torch.from_numpy(body)}
        return {**packed, "body": torch.from_numpy(np.array(self.times))}

    @classmethod
    def unpack(cls, packed: Mapping[str, object]) -> SpikeTimeSet:
        """Rebuild a set from ``pack``.

        Raises:
            DataError: a field is missing, of another format, or the sizes do not agree.
        """
        try:
            if packed["format"] != _FORMAT or packed["kind"] != KIND:
                raise ValueError(f"format {packed['format']} {packed['kind']}, this version reads {_FORMAT} {KIND}")
            times = packed["body"].numpy()  # type: ignore[attr-defined]
            if "values" in packed:
                times = packed["values"].numpy()[times]  # type: ignore[attr-defined]
            return cls(times=times, labels=packed["labels"].numpy())  # type: ignore[attr-defined]
        except (KeyError, ValueError, TypeError, AttributeError, IndexError) as error:
            raise DataError(
                f"recorded spike times cannot be read: {error}",
                where="SpikeTimeSet.unpack",
                why="the checkpoint is damaged or was written by another version",
                next_command="train again: python train.py model=spike_time",
            ) from error
