"""Changes to training images, reproducible from (seed, epoch, sample)."""

from __future__ import annotations

import numpy as np
from numba import njit

from lightning_neuro.data.coding import mix, sample_keys


def shifted(values: np.ndarray, ids: np.ndarray, epoch: int, *, side: int, limit: float, seed: int) -> np.ndarray:
    """Return images moved by up to ``limit`` pixels in each direction, linearly interpolated, zero-filled.

    Args:
        values: [batch, side * side] grey values.
        ids: [batch] numbers of the samples.
        epoch: number of the epoch.
        side: pixels per row and column.
        limit: largest shift in pixels; the shifts are uniform in +- limit.
        seed: of the shifts.

    Returns:
        [batch, side * side] float32.
    """
    keys = mix(sample_keys(seed, epoch, ids))
    low, high = keys & np.uint64(0xFFFFFFFF), keys >> np.uint64(32)
    offsets = (np.stack([low, high], axis=1) / 2.0**31 - 1) * limit  # [batch, (down, right)]
    images = values.reshape(-1, side, side).astype(np.float32)
    out = np.zeros_like(images)
    _move(images, offsets, out)
    return out.reshape(len(values), -1)


@njit(cache=True, nogil=True)
def _move(images, offsets, out):  # pragma: no cover - compiled
    """Spread every pixel over the four it lands on."""
    batch, side, _ = images.shape
    for b in range(batch):
        down, right = np.floor(offsets[b, 0]), np.floor(offsets[b, 1])
        y_part, x_part = np.float32(offsets[b, 0] - down), np.float32(offsets[b, 1] - right)
        dy, dx = int(down), int(right)
        one = np.float32(1)
        for y in range(max(0, -dy - 1), min(side, side - dy)):
            for x in range(max(0, -dx - 1), min(side, side - dx)):
                value = images[b, y, x]
                if value != 0:
                    top, left = y + dy, x + dx
                    if top >= 0 and left >= 0:
                        out[b, top, left] += value * (one - y_part) * (one - x_part)
                    if top >= 0 and left + 1 < side:
                        out[b, top, left + 1] += value * (one - y_part) * x_part
                    if top + 1 < side and left >= 0:
                        out[b, top + 1, left] += value * y_part * (one - x_part)
                    if top + 1 < side and left + 1 < side:
                        out[b, top + 1, left + 1] += value * y_part * x_part
