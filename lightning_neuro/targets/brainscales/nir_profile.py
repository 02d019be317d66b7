"""The network as NIR for the readers of hxtorch and jaxsnn: Linear, CubaLIF and CubaLI in a chain, hardware time.

Those readers take time constants in milliseconds of the chip; the same number read as seconds is biological time at a
speed-up of 1000. They ignore ``w_in`` and let a spike add its weight to the current, where NIR's equation divides by
tau_syn: ``w_in = tau_syn`` makes both agree. They ignore or misuse ``r``, so it is 1. Thresholds are model units, the
weights those of the chip's LSB. (hxtorch/spiking/utils/from_nir.py; jaxsnn/event/utils/from_nir.py.)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nir
import numpy as np

from lightning_neuro.graph.nir_hdf5 import write_graph
from lightning_neuro.targets.brainscales.chip_network import ChipLayer, ChipNetwork

NIR = "network.nir"


def chain_of(network: ChipNetwork) -> bool:
    """Whether every layer has one source, the layer before it, which is all that those readers take."""
    before = network.input
    for layer in network.layers:
        if [p.pre for p in network.into(layer.name)] != [before]:
            return False
        before = layer.name
    return True


def nir_graph(network: ChipNetwork) -> nir.NIRGraph:
    """The NIR graph.

    Args:
        network: a chain.
    """
    nodes: dict[str, Any] = {"input": nir.Input(input_type={"input": np.array([network.lines])})}
    edges: list[tuple[str, str]] = []
    before = "input"
    for number, layer in enumerate(network.layers):
        projection = network.into(layer.name)[0]
        linear, neurons = f"synapses{number}", f"neurons{number}"
        nodes[linear] = nir.Linear(weight=projection.weights / layer.weight_scale)
        nodes[neurons] = _neurons(layer)
        edges += [(before, linear), (linear, neurons)]
        before = neurons
    size = network.layers[-1].size
    nodes["output"] = nir.Output(output_type={"output": np.array([size])})
    metadata = {
        "time": "tau in ms of the chip, which is also seconds of the model at a speed-up of 1000",
        "layers": ", ".join(layer.name for layer in network.layers),
        "refractory_us": ", ".join(f"{layer.refractory_us:g}" for layer in network.layers),
        "note": "a reader that does not ask for the refractory time assumes its own (hxtorch: 1 us)",
    }
    return nir.NIRGraph(nodes=nodes, edges=[*edges, (before, "output")], metadata=metadata, type_check=False)


def _neurons(layer: ChipLayer) -> Any:
    def same(value: float) -> Any:
        return np.full(layer.size, value)

    tau_ms, tau_syn_ms = same(layer.tau_mem_us * 1e-3), same(layer.tau_syn_us * 1e-3)
    shared = {"tau_mem": tau_ms, "tau_syn": tau_syn_ms, "r": same(1.0), "v_leak": same(0.0), "w_in": tau_syn_ms}
    if not layer.spiking:
        return nir.CubaLI(**shared)
    return nir.CubaLIF(
        **shared,
        v_threshold=same(layer.threshold - layer.v_leak),
        v_reset=same(layer.v_reset - layer.v_leak),
    )


def write_nir(network: ChipNetwork, folder: Path) -> bool:
    """Write ``network.nir``; False where the network is no chain."""
    if not chain_of(network):
        return False
    write_graph(folder / NIR, nir_graph(network))
    return True
