"""Data modules and spike encoders."""

from lightning_neuro.data.coding import Coding, encode
from lightning_neuro.data.digits import Digits
from lightning_neuro.data.mnist import Mnist
from lightning_neuro.data.spike_set import SpikeSet

__all__ = ["Coding", "Digits", "Mnist", "SpikeSet", "encode"]
