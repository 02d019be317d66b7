"""Callbacks for anybody's Trainer: neuron constants in the checkpoint, ANN to SNN, integers, widths, NIR, artefacts.

Each is imported when it is asked for: the package itself loads neither torch nor Lightning.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if __name__ != "lightning_neuro.callbacks":  # a second import under another name would make second classes
    raise ImportError("import lightning_neuro.callbacks, not the folder callbacks/ of the checkout")

if TYPE_CHECKING:
    from lightning_neuro.callbacks.convert import ConvertAtFitEnd
    from lightning_neuro.callbacks.deploy import Deploy
    from lightning_neuro.callbacks.export_nir import ExportNIR
    from lightning_neuro.callbacks.parameter_buffers import ParameterBuffers
    from lightning_neuro.callbacks.quantization_aware import QuantizationAware
    from lightning_neuro.callbacks.quantize import Quantize
    from lightning_neuro.callbacks.search import Search

__all__ = ["ConvertAtFitEnd", "Deploy", "ExportNIR", "ParameterBuffers", "QuantizationAware", "Quantize", "Search"]

_HOMES = {
    "ConvertAtFitEnd": "convert",
    "Deploy": "deploy",
    "ExportNIR": "export_nir",
    "ParameterBuffers": "parameter_buffers",
    "QuantizationAware": "quantization_aware",
    "Quantize": "quantize",
    "Search": "search",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
