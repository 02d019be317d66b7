"""Runs the network of this folder: ``python runner.py``. Needs numpy, network.npz and samples.npz, nothing else.

Every layer, every step: drive, leak, saturation, spike, reset, in integers. Writes answers.npz with the spikes
[sample, step, neuron] and membranes of every layer.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent


def run(network: dict[str, np.ndarray], spikes: np.ndarray) -> dict[str, np.ndarray]:
    """Spikes and membranes of every layer, by ``<layer>.spikes`` and ``<layer>.membrane``."""
    found: dict[str, np.ndarray] = {}
    for name in network["layers"]:
        layer = {key.split(".", 1)[1]: value for key, value in network.items() if key.startswith(f"{name}.")}
        drive = ((spikes.astype(np.int64) @ layer["weight"].T) << layer["shift"]) + layer["bias"]
        v, low, high = np.tile(layer["v_init"], (len(drive), 1)), layer["low"], layer["high"]
        spikes, membrane = np.zeros(drive.shape, np.uint8), np.zeros_like(drive)
        for t in range(drive.shape[1]):
            v = np.clip(v - ((v * layer["leak"]) >> layer["leak_shift"]) + drive[:, t], low, high)
            fired = (v > layer["threshold"]) & layer["may_spike"]
            v = np.where(fired, v - layer["threshold"] if layer["subtracts"] else layer["v_reset"], v)
            spikes[:, t], membrane[:, t] = fired, v
        found |= {f"{name}.spikes": spikes, f"{name}.membrane": membrane}
    return found


if __name__ == "__main__":
    network, samples = dict(np.load(FOLDER / "network.npz")), np.load(FOLDER / "samples.npz")
    np.savez(FOLDER / "answers.npz", **run(network, samples["spikes"]))
