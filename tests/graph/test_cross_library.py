"""snnTorch -> ours -> Norse, and Norse -> ours -> snnTorch: the libraries themselves agree in every slot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from lightning_neuro.graph.export import to_nir
from lightning_neuro.graph.lower import lower
from lightning_neuro.graph.metadata import Metadata
from lightning_neuro.graph.profile_files import write_profile
from lightning_neuro.peers import norse, snntorch
from tests.graph.test_export_table import Stepwise, random_input
from tests.graph.test_profiles import run_norse, run_snntorch


def through(network: nn.Module, profile: str, path: Path, raster: torch.Tensor):
    """The lowered network after its profile's file was written."""
    graph = to_nir(network, raster, dt=1e-3)
    lowered = lower(graph, Metadata.from_dict(graph.metadata, "test"))
    write_profile(lowered, profile, path, raster.numpy().astype(np.uint8))
    return lowered


def torch_spikes(network: nn.Module, raster: torch.Tensor) -> np.ndarray:
    for layer in network.modules():
        if isinstance(layer, snntorch.Leaky):
            layer.reset_mem()  # snnTorch starts a call without states where the last one ended
    with torch.no_grad():
        return network(raster).transpose(0, 1).numpy()


def test_snntorch_to_norse(tmp_path: Path) -> None:
    torch.manual_seed(8)
    layers = [
        snntorch.Leaky(beta=torch.linspace(0.6, 0.95, n), threshold=0.6, reset_mechanism="zero") for n in (30, 40)
    ]
    network = Stepwise(nn.Linear(20, 30), layers[0], nn.Linear(30, 40), layers[1])
    raster = random_input(20, samples=12)
    graph = through(network, "norse", tmp_path / "x.nir", raster)
    theirs, expected = run_norse(tmp_path / "x.nir", graph, raster.numpy()), torch_spikes(network, raster)
    assert expected.size >= 16_000 and expected.sum() > 300 and (theirs == expected).all()


def test_norse_to_snntorch(tmp_path: Path) -> None:
    torch.manual_seed(9)
    p = norse.LIFBoxParameters(tau_mem_inv=torch.tensor(125.0), v_th=torch.linspace(0.05, 0.12, 40))
    first = norse.LIFBoxCell(norse.LIFBoxParameters(v_th=torch.tensor(0.08)))
    network = Stepwise(nn.Linear(20, 30), first, nn.Linear(30, 40), norse.LIFBoxCell(p))
    raster = random_input(20, samples=12)
    graph = through(network, "snntorch", tmp_path / "x.nir", raster)
    theirs, expected = run_snntorch(tmp_path / "x.nir", graph, raster.numpy()), torch_spikes(network, raster)
    assert expected.size >= 16_000 and expected.sum() > 300 and (theirs == expected).all()
