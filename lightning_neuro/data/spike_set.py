"""Recorded inputs of a network: the same spikes for every later check, small enough for a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lightning_neuro.errors import DataError

Packed = dict[str, "Tensor | str | int"]
_FORMAT = 1
_CONSTANT = "constant"  # currents that are the same in every step


@dataclass(frozen=True, slots=True, kw_only=True)
class SpikeSet:
    """Encoded samples with their labels.

    Args:
        spikes: [samples, steps, n_in] uint8 spikes (0 or 1), or float32 currents for direct coding; currents that stay
            the same may be a broadcast view of one step.
        labels: [samples] int64 class numbers.

    Raises:
        DataError: shapes or types are not these.
    """

    spikes: np.ndarray
    labels: np.ndarray

    def __post_init__(self) -> None:
        kinds = (self.spikes.dtype in (np.uint8, np.float32), self.labels.dtype == np.int64)
        shapes = self.spikes.ndim == 3 and self.labels.shape == self.spikes.shape[:1]
        if not (all(kinds) and shapes):
            raise DataError(
                f"spikes {self.spikes.dtype}{list(self.spikes.shape)} and labels {self.labels.dtype}"
                f"{list(self.labels.shape)} do not make a set of samples",
                where="SpikeSet",
                why="needed are spikes uint8 or float32 [samples, steps, inputs] and labels int64 [samples]",
                next_command="convert the arrays before building the SpikeSet",
            )

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: np.ndarray | slice) -> SpikeSet:
        """Return a part of the samples."""
        return SpikeSet(spikes=self.spikes[index], labels=self.labels[index])

    def pack(self) -> Packed:
        """Return plain tensors, strings and integers; eight spikes to a byte, currents that stay the same once."""
        samples, steps, inputs = self.spikes.shape
        binary = self.spikes.dtype == np.uint8
        if binary and self.spikes.max(initial=0) > 1:
            raise DataError(
                "spikes larger than 1 cannot be packed as bits",
                where="SpikeSet.pack",
                why="a uint8 raster holds 0 or 1",
                next_command="store graded input as float32",
            )
        kind, body = (
            ("spikes", {"body": np.packbits(self.spikes.reshape(-1))}) if binary else _packed_currents(self.spikes)
        )
        return {
            "format": _FORMAT,
            "kind": kind,
            "samples": samples,
            "steps": steps,
            "inputs": inputs,
            **{name: torch.from_numpy(np.array(values)) for name, values in body.items()},
            "labels": torch.from_numpy(np.array(self.labels)),
        }

    @classmethod
    def unpack(cls, packed: Mapping[str, object]) -> SpikeSet:
        """Rebuild a set from ``pack``.

        Raises:
            DataError: a field is missing, of another format, or the sizes do not agree.
        """
        try:
            if packed["format"] != _FORMAT:
                raise ValueError(f"format {packed['format']}, this version reads {_FORMAT}")
            shape = tuple(int(packed[name]) for name in ("samples", "steps", "inputs"))  # type: ignore[call-overload]
            body, labels = packed["body"].numpy(), packed["labels"].numpy()  # type: ignore[attr-defined]
            if packed["kind"] == "spikes":
                body = np.unpackbits(body, count=int(np.prod(shape)))
            if "values" in packed:
                body = packed["values"].numpy()[body]  # type: ignore[attr-defined]
            if packed["kind"] == _CONSTANT:
                body = np.broadcast_to(body.reshape(shape[0], 1, shape[2]), shape)
            return cls(spikes=body.reshape(shape), labels=labels)
        except (KeyError, ValueError, TypeError, AttributeError, IndexError) as error:
            raise DataError(
                f"recorded inputs cannot be read: {error}",
                where="SpikeSet.unpack",
                why="the checkpoint is damaged or was written by another version",
                next_command="train again: python train.py",
            ) from error


def _packed_currents(currents: np.ndarray) -> tuple[str, dict[str, np.ndarray]]:
    """Kind and body of currents [samples, steps, n]: one step where all are the same, bytes where values are few."""
    steps = currents.shape[1]
    constant = steps > 0 and (currents.strides[1] == 0 or bool((currents == currents[:, :1]).all()))
    kind, kept = (_CONSTANT, currents[:, 0]) if constant else ("currents", currents)
    values, index = np.unique(kept, return_inverse=True)
    if 0 < len(values) <= 256:  # grey values
        return kind, {"values": values, "body": index.reshape(kept.shape).astype(np.uint8)}
    return kind, {"body": kept}
