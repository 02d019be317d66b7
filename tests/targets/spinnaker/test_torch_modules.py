"""From a torch module to NEST: snnTorch, Norse and convolutions, spike for spike through the written script."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from lightning_neuro.graph import golden
from lightning_neuro.graph.export import describe, lowered, read_back
from lightning_neuro.peers import norse, reset_value, snntorch
from lightning_neuro.targets.base import TestVectors
from lightning_neuro.targets.spinnaker.artefact import write_artefact
from lightning_neuro.targets.spinnaker.plan import plan_network
from tests.graph.test_export_table import Stepwise, random_input, snntorch_layer
from tests.targets.spinnaker import cases


def after_linear(kind: str, delay: bool, each: bool = False) -> Callable[[], list[nn.Module]]:
    return lambda: [nn.Linear(20, 30), snntorch_layer(kind, "zero", delay, each)]


def leaky(threshold: float = 0.5) -> nn.Module:
    return snntorch.Leaky(beta=0.85, threshold=threshold, reset_mechanism="zero")


def norse_box() -> list[nn.Module]:
    p = norse.LIFBoxParameters(tau_mem_inv=torch.tensor(250.0), v_th=torch.tensor(0.15), reset_method=reset_value)
    return [nn.Linear(20, 30), norse.LIFBoxCell(p)]


def norse_lif() -> list[nn.Module]:
    return [nn.Linear(20, 30), norse.LIFCell(norse.LIFParameters(v_th=torch.tensor(0.15)))]


def norse_recurrent() -> list[nn.Module]:
    return [norse.LIFRecurrentCell(20, 30, norse.LIFParameters(v_th=torch.tensor(0.15)))]


def convolution() -> list[nn.Module]:
    first, second = nn.Conv2d(2, 4, 3, padding=1), nn.Conv2d(4, 6, 3, groups=2)
    return [first, leaky(), nn.AvgPool2d(2), second, leaky(0.3), nn.Flatten(), nn.Linear(24, 5), leaky(0.3)]


def convolution_of_currents() -> list[nn.Module]:
    cell = snntorch.Synaptic(alpha=0.7, beta=0.8, threshold=0.8, reset_mechanism="zero")
    return [nn.Conv2d(2, 4, 3, stride=2), cell, nn.Flatten(), nn.Linear(36, 5), leaky(0.3)]


NETWORKS: dict[str, tuple[Callable[[], list[nn.Module]], tuple[int, ...]]] = {
    "snnTorch Leaky, zero, delayed": (after_linear("Leaky", True, each=True), (20,)),
    "snnTorch Leaky, zero, at once": (after_linear("Leaky", False), (20,)),
    "snnTorch Synaptic, zero, delayed": (after_linear("Synaptic", True, each=True), (20,)),
    "snnTorch Synaptic, zero, at once": (after_linear("Synaptic", False), (20,)),
    "snnTorch RLeaky, zero, delayed": (after_linear("RLeaky", True), (20,)),
    "snnTorch RLeaky, one to one": (after_linear("RLeaky, one to one", True), (20,)),
    "snnTorch RSynaptic, zero, delayed": (after_linear("RSynaptic", True), (20,)),
    "Norse LIFBoxCell": (norse_box, (20,)),
    "Norse LIFCell": (norse_lif, (20,)),
    "Norse LIFRecurrentCell": (norse_recurrent, (20,)),
    "convolution, groups, pooling": (convolution, (2, 8, 8)),
    "convolution of current-based neurons": (convolution_of_currents, (2, 8, 8)),
}


@cases.needs_nest
@pytest.mark.parametrize("name", NETWORKS)
def test_a_torch_module_spikes_on_nest_as_in_torch(name: str, tmp_path: Path) -> None:
    torch.manual_seed(5)
    layers, shape = NETWORKS[name]
    network = Stepwise(*layers())
    raster = random_input(*shape, samples=3, steps=20)
    described = describe(network, lambda: network(raster), dt_s=None, readout=None, coding={})
    graph = lowered(described)
    spikes = raster.flatten(2).numpy().astype(np.uint8)
    expected = golden.run(graph, spikes, arithmetic="real", record=True)
    assert read_back(graph, described).mismatches == 0 and expected.spikes[graph.output].any()  # torch = golden model
    write_artefact(
        plan_network(graph), tmp_path, TestVectors(spikes=spikes, expected=expected, labels=np.full(3, -1)), None
    )
    assert cases.mismatches(cases.on_nest(tmp_path)) == 0

