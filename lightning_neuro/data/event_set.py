"""Recorded inputs of a continuous-time network: spike times instead of rasters, small enough for a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from lightning_neuro.data.spike_set import Packed
from lightning_neuro.errors import DataError

_FORMAT = 1
KIND = "times"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSet:
    """Encoded samples with their labels; every input line spikes at most once.

    Args:
        times: [samples, n_in] float64 spike times in seconds, 0 or later; inf means silent.
        labels: [samples] int64 class numbers.

    Raises:
        DataError: shapes or types are not these, or a time is negative or not a number.
    """

    times: np.ndarray
    labels: np.ndarray

    def __post_init__(self) -> None:
        kinds = self.times.dtype == np.float64 and self.labels.dtype == np.int64
        shapes = self.times.ndim == 2 and self.labels.shape == self.times.shape[:1]
        if not (kinds and shapes):
            raise DataError(
                f"times {self.times.dtype}{list(self.times.shape)} and labels {self.labels.dtype}"
                f"{list(self.labels.shape)} do not make a set of samples",
                where="EventSet",
                why="needed are times float64 [samples, inputs] in seconds and labels int64 [samples]",
                next_command="convert the arrays before building the EventSet",
            )
        if not (self.times >= 0).all():  # False for NaN too
            raise DataError(
                "a spike time is negative or not a number",
                where="EventSet",
                why="a sample starts at 0; a silent input is inf",
                next_command="clip the times at 0 and write inf where there is no spike",
            )

    def __len__(self) -> int:
        return len(self.labels)

    def first(self, samples: int) -> EventSet:
        """The first samples."""
        return EventSet(times=self.times[:samples], labels=self.labels[:samples])

    def pack(self) -> Packed:
        """Return plain tensors and strings."""
        return {
            "format": _FORMAT,
            "kind": KIND,
            "times": torch.from_numpy(np.array(self.times)),
            "labels": torch.from_numpy(np.array(self.labels)),
        }

    @classmethod
    def unpack(cls, packed: Mapping[str, object]) -> EventSet:
        """Rebuild a set from ``pack``.

        Raises:
            DataError: a field is missing, of another format, or the sizes do not agree.
        """
        try:
            if packed["format"] != _FORMAT or packed["kind"] != KIND:
                raise ValueError(f"format {packed['format']} of {packed['kind']}, this version reads {_FORMAT}")
            return cls(times=packed["times"].numpy(), labels=packed["labels"].numpy())  # type: ignore[attr-defined]
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise DataError(
                f"recorded inputs cannot be read: {error}",
                where="EventSet.unpack",
                why="the checkpoint is damaged or was written by another version",
                next_command="train again: python train.py model=spike_time",
            ) from error
