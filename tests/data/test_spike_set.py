"""Recorded inputs survive packing, also inside a checkpoint that loads without unpickling code."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch

from lightning_neuro.data.spike_set import SpikeSet
from lightning_neuro.errors import DataError


def spike_set(dtype) -> SpikeSet:
    generator = np.random.default_rng(0)
    values = generator.random((7, 3, 11))
    spikes = (values < 0.3).astype(np.uint8) if dtype == np.uint8 else values.astype(np.float32)
    return SpikeSet(spikes=spikes, labels=np.arange(7, dtype=np.int64))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_pack_survives_a_weights_only_checkpoint(dtype):
    original, file = spike_set(dtype), io.BytesIO()
    torch.save({"recorded": original.pack()}, file)
    file.seek(0)
    loaded = SpikeSet.unpack(torch.load(file, weights_only=True)["recorded"])
    assert np.array_equal(loaded.spikes, original.spikes) and loaded.spikes.dtype == dtype
    assert np.array_equal(loaded.labels, original.labels)


def test_spikes_are_packed_eight_to_a_byte():
    body = spike_set(np.uint8).pack()["body"]
    assert isinstance(body, torch.Tensor) and body.numel() == -(-7 * 3 * 11 // 8)


@pytest.mark.parametrize(
    "damage", [{"format": 99}, {"samples": 8}, {"body": None}, {"labels": torch.zeros(2)}]
)
def test_damaged_packs_are_refused(damage):
    with pytest.raises(DataError):
        SpikeSet.unpack(spike_set(np.uint8).pack() | damage)


def test_graded_values_in_a_raster_are_not_packed_as_bits():
    with pytest.raises(DataError, match="larger than 1"):
        SpikeSet(spikes=np.full((1, 1, 1), 2, np.uint8), labels=np.zeros(1, np.int64)).pack()


def test_wrong_shapes_are_refused():
    with pytest.raises(DataError, match="labels"):
        SpikeSet(spikes=np.zeros((2, 3, 4), np.uint8), labels=np.zeros(3, np.int64))
