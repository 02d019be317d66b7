"""FPGA: hand-written VHDL, one generated package of constants and memories, and the tools that prove it."""

from __future__ import annotations

from lightning_neuro.targets.fpga.target import FpgaTarget

__all__ = ["FpgaTarget"]
