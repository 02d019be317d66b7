"""Callbacks for anybody's Trainer: neuron constants in the checkpoint, ANN to SNN, integers, widths, NIR, artefacts."""

from __future__ import annotations

if __name__ != "lightning_neuro.callbacks":  # a second import under another name would make second classes
    raise ImportError("import lightning_neuro.callbacks, not the folder callbacks/ of the checkout")

from lightning_neuro.callbacks.convert import ConvertAtFitEnd
from lightning_neuro.callbacks.deploy import Deploy
from lightning_neuro.callbacks.export_nir import ExportNIR
from lightning_neuro.callbacks.parameter_buffers import ParameterBuffers
from lightning_neuro.callbacks.quantization_aware import QuantizationAware
from lightning_neuro.callbacks.quantize import Quantize
from lightning_neuro.callbacks.search import Search

__all__ = ["ConvertAtFitEnd", "Deploy", "ExportNIR", "ParameterBuffers", "QuantizationAware", "Quantize", "Search"]
