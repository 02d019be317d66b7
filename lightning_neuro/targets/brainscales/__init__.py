"""BrainScaleS-2: scripts for PyNN and hxtorch, checked against the chip's limits, predicted on virtual chips."""

from lightning_neuro.targets.brainscales.target import BrainscalesTarget

__all__ = ["BrainscalesTarget"]
