"""MNIST at 16 x 16 pixels: the middle 24 x 24 of each image, resized; small enough for neuromorphic chips.

As in Goeltz, Kriener et al. 2021 (doi:10.1038/s42256-021-00388-x): the crop keeps the digits, the resize
interpolates linearly over the area that each new pixel covers.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from torch.nn.functional import interpolate

from lightning_neuro.data.mnist import SIDE as ORIGINAL
from lightning_neuro.data.mnist import Mnist
from lightning_neuro.data.samples import Samples

SIDE, CROP = 16, 24
_BLOCK = 4096  # images resized at a time, to keep memory small


class Mnist16(Mnist):
    """16 x 16 digits, 10 classes, grey values 0..255; arguments as for :class:`Mnist`."""

    input_shape = (1, SIDE, SIDE)
    side = SIDE

    def read(self) -> dict[str, Samples]:
        """Return the three splits, downloading the files if need be."""
        return {split: dataclasses.replace(part, values=shrunk(part.values)) for split, part in super().read().items()}


def shrunk(images: np.ndarray) -> np.ndarray:
    """Return the middle of images, resized with antialiasing; black stays black.

    Args:
        images: [samples, 784] grey values.

    Returns:
        [samples, 256] float32.
    """
    edge = (ORIGINAL - CROP) // 2
    middle = images.reshape(-1, 1, ORIGINAL, ORIGINAL)[:, :, edge : edge + CROP, edge : edge + CROP]
    blocks = [
        interpolate(
            torch.from_numpy(middle[start : start + _BLOCK].astype(np.float32)),
            size=(SIDE, SIDE),
            mode="bilinear",
            antialias=True,
            align_corners=False,
        )
        for start in range(0, len(middle), _BLOCK)
    ]
    return torch.cat(blocks).reshape(len(images), -1).clamp(0, 255).numpy()
