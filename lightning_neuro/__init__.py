"""Train spiking networks with PyTorch Lightning and run them on neuromorphic hardware with the same answers."""

from __future__ import annotations

__version__ = "0.1.0"
