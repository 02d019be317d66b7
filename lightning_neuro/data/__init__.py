"""Spike encoders and recorded inputs; the data modules (``data.digits``, ``data.mnist``) load Lightning, so by name."""

from lightning_neuro.data.coding import Coding, encode
from lightning_neuro.data.spike_set import SpikeSet

__all__ = ["Coding", "SpikeSet", "encode"]
