"""Weights of another checkpoint for a script. ``network.py`` carries everything below the line verbatim.

Needs torch to open the file, and nothing else beside numpy: the integers of the quantised network and the constants
of its neurons are in the checkpoint, ready to be used.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

# -- Weights of another checkpoint -------------------------------------------------------------------------------


TOPOLOGY_METADATA = ("dt", "readout", "resets", "v_init", "bias_windows")


def weights_of_checkpoint(path: Path, manifest: dict[str, Any]) -> dict[str, NDArray[Any]]:
    """Return the arrays of weights.npz for another checkpoint of the same model.

    Args:
        path: a checkpoint with a quantised network in it; nothing in it is executed.
        manifest: contents of manifest.json.

    Raises:
        ValueError: it holds no quantised network, or another network than this script.
    """
    import torch

    loaded = torch.load(path, map_location="cpu", weights_only=True)
    stored: dict[str, Any] = (loaded.get("lightning_neuro") if isinstance(loaded, dict) else None) or {}
    quantized = stored.get("quantized") or {}
    if stored.get("metadata", {}).get("time") == "continuous":
        raise ValueError("its neurons spike in continuous time; deploy it to have its weights and delays in steps")
    if not quantized.get("constants"):
        raise ValueError("it holds no quantised network (train with the Quantize callback, or deploy it instead)")
    said = {key: stored["metadata"].get(key) for key in TOPOLOGY_METADATA}
    found = {"network": structure_of(stored["nir"]), **said}
    differ = [key for key, value in found.items() if value != manifest["topology"].get(key)]
    if differ:
        raise ValueError(f"it holds another network ({', '.join(differ)} not as in this script); deploy it instead")
    arrays: dict[str, NDArray[Any]] = {}
    for label, projection in manifest["projections"].items():
        lsb = quantized["lsb"][projection["post"]][0]
        arrays[label] = quantized["weights"][projection["name"]].numpy().astype(np.int64) * lsb
    for label, layer in manifest["layers"].items():
        constants = quantized["constants"][layer["name"]]
        arrays |= {f"{label}.{key}": values.numpy() for key, values in constants.items()}
    return arrays


def structure_of(network: dict[str, Any]) -> str:
    """Return a digest of a network's nodes, shapes, geometry and edges, but of none of its weights."""
    nodes = {
        name: {key: _outline(value) for key, value in node.items() if not key.endswith("_type")}
        for name, node in network["nodes"].items()
    }
    text = json.dumps({"nodes": nodes, "edges": sorted(map(list, network["edges"]))}, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _outline(value: Any) -> Any:
    """Return the shape of an array of real numbers, and everything else as it is."""
    array = np.asarray(value)
    return list(array.shape) if array.dtype.kind == "f" else array.tolist()
