"""SpiNNaker: one readable PyNN script per network, proved on NEST, emulated in fixed point, mapped by sPyNNaker."""

from __future__ import annotations

from lightning_neuro.targets.spinnaker.target import SpinnakerTarget

__all__ = ["SpinnakerTarget"]
