"""torch spikes -> NIR -> golden model: 0 differing slots for every neuron, library, reset and delay, or a refusal."""

from __future__ import annotations

import nir
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lightning_neuro.errors import NirError
from lightning_neuro.graph.compare import compare_run
from lightning_neuro.graph.export import Description, describe, lowered, read_back
from lightning_neuro.graph.hardware_graph import CubaLif, Reset, ResetKind
from lightning_neuro.graph.lower import lower
from lightning_neuro.graph.nir_file import read_nir
from lightning_neuro.neurons import LIF, make_surrogate
from lightning_neuro.peers import norse, reset_subtract, snntorch


class Stepwise(nn.Module):
    """A stranger's network: one step at a time, states handed on, [batch, step, n] in."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, raster: Tensor) -> Tensor:
        states: dict[int, tuple] = {}
        outputs = []
        for t in range(raster.shape[1]):
            signal = raster[:, t]
            for index, layer in enumerate(self.layers):
                if not isinstance(layer, snntorch.Leaky | snntorch.Synaptic | norse.LIFBoxCell | norse.LIFCell):
                    signal = layer(signal)
                else:
                    signal, *states[index] = layer(signal, *states.get(index, ()))
            outputs.append(signal)
        return torch.stack(outputs)


def describe_random(
    network: nn.Module, *, steps: int = 40, samples: int = 14, dt_s: float | None = None
) -> Description:
    raster = (torch.rand(samples, steps, 20) < 0.3).float()
    return describe(network, lambda: network(raster), dt_s=dt_s, readout=None, coding={})


@pytest.fixture(autouse=True)
def same_weights() -> None:
    torch.manual_seed(3)


PER_NEURON = torch.linspace(0.5, 0.95, 30)


@pytest.mark.parametrize(("reset", "delay"), [("zero", True), ("zero", False), ("subtract", True)])
@pytest.mark.parametrize("readout", ["none", "same"])
@pytest.mark.parametrize("beta", [0.9, PER_NEURON], ids=["scalar", "per-neuron"])
def test_snntorch_leaky_is_repeated(reset: str, delay: bool, readout: str, beta: float | Tensor) -> None:
    leaky = snntorch.Leaky(beta=beta, threshold=torch.linspace(0.3, 1.0, 30), reset_mechanism=reset, reset_delay=delay)
    last_reset = reset if readout == "same" else "none"
    last = snntorch.Leaky(beta=0.8, threshold=0.5, reset_mechanism=last_reset, reset_delay=delay)
    assert_repeated(describe_random(Stepwise(nn.Linear(20, 30), leaky, nn.Linear(30, 10), last)))


@pytest.mark.parametrize(("reset", "delay"), [("zero", True), ("zero", False), ("subtract", True)])
def test_snntorch_synaptic_is_repeated(reset: str, delay: bool) -> None:
    layers = [
        snntorch.Synaptic(alpha=0.8, beta=0.9, threshold=t, reset_mechanism=reset, reset_delay=delay)
        for t in (1.0, 2.0)
    ]
    assert_repeated(describe_random(Stepwise(nn.Linear(20, 30), layers[0], nn.Linear(30, 10), layers[1])))


def test_snntorch_immediate_subtraction_is_repeated_below_twice_the_threshold() -> None:
    leaky = snntorch.Leaky(beta=0.9, threshold=2.5, reset_mechanism="subtract", reset_delay=False)
    assert_repeated(describe_random(Stepwise(nn.Linear(20, 30), leaky)))


def test_a_readout_inside_the_network_is_refused() -> None:
    layers = [snntorch.Leaky(beta=0.9, reset_mechanism=reset) for reset in ("none", "zero")]
    with pytest.raises(NirError, match="without reset inside"):
        describe_random(Stepwise(nn.Linear(20, 30), layers[0], nn.Linear(30, 10), layers[1]))


def test_snntorch_double_reset_is_caught_by_the_comparison() -> None:
    """snnTorch without delay reads a membrane above twice the threshold as a second reset; NIR cannot say that."""
    synaptic = snntorch.Synaptic(alpha=0.9, beta=0.95, threshold=0.3, reset_mechanism="subtract", reset_delay=False)
    described = describe_random(Stepwise(nn.Linear(20, 30), synaptic))
    assert read_back(lowered(described), described).mismatches > 0


@pytest.mark.parametrize("subtract", [False, True])
def test_norse_box_is_repeated(subtract: bool) -> None:
    extra = (
        {"reset_method": reset_subtract} if subtract else {"v_leak": torch.tensor(0.1), "v_reset": torch.tensor(-0.2)}
    )
    p = norse.LIFBoxParameters(tau_mem_inv=torch.tensor(250.0), v_th=torch.tensor(0.15), **extra)
    described = describe_random(
        Stepwise(nn.Linear(20, 30), norse.LIFBoxCell(p), nn.Linear(30, 10), norse.LIFBoxCell(p))
    )
    assert described.metadata.dt_s == 1e-3
    assert_repeated(described)


def test_norse_current_based_is_repeated() -> None:
    p = norse.LIFParameters(v_th=torch.tensor(0.3), v_leak=torch.tensor(0.05), v_reset=torch.tensor(0.02))
    described = describe_random(Stepwise(nn.Linear(20, 30), norse.LIFCell(p), nn.Linear(30, 10), norse.LIFCell(p)))
    assert isinstance(lowered(described).populations[0].neuron, CubaLif)
    assert_repeated(described)


@pytest.mark.parametrize("delay", [0, 1])
@pytest.mark.parametrize("reset", ["zero", "subtract", "none"])
@pytest.mark.parametrize("alpha", [None, 0.7])
def test_native_layers_are_repeated(reset: str, delay: int, alpha: float | None) -> None:
    def lif(size: int) -> LIF:
        return LIF(
            size, beta=0.875, alpha=alpha, threshold=0.6, reset=reset, reset_delay=delay, learn_beta=False,  # type: ignore[arg-type]
            learn_alpha=False, learn_threshold=False, beta_constraint="none", surrogate=make_surrogate("atan", 2.0),
        )  # fmt: skip

    network = nn.Sequential(nn.Linear(20, 30), lif(30))
    raster = (torch.rand(40, 14, 20) < 0.3).float()
    described = describe(network, lambda: network(raster), dt_s=1e-3, readout=None, coding={})
    assert_repeated(described)


def assert_repeated(described: Description) -> None:
    assert all(0.004 < raster.mean() < 0.9 for raster in described.spikes.values())
    comparison = read_back(lowered(described), described)
    assert comparison.slots >= 16_000 and comparison.mismatches == 0 and comparison.ties <= 1, str(comparison)


def test_integrate_and_fire_has_its_own_node() -> None:
    described = describe_random(Stepwise(nn.Linear(20, 30), snntorch.Leaky(beta=1.0, reset_mechanism="zero")))
    assert isinstance(described.graph.nodes["layers_1"], nir.IF)
    assert_repeated_any(described)


def assert_repeated_any(described: Description) -> None:
    assert read_back(lowered(described), described).mismatches == 0


def test_dropout_and_flatten_disappear() -> None:
    network = Stepwise(
        nn.Linear(20, 30),
        snntorch.Leaky(beta=0.9),
        nn.Dropout(0.5),
        nn.Flatten(),
        nn.Linear(30, 4),
        snntorch.Leaky(beta=0.9),
    )
    network.train()
    described = describe_random(network)
    assert network.training
    assert list(described.graph.nodes) == ["input", "layers_0", "layers_1", "layers_4", "layers_5", "output"]
    assert_repeated_any(described)


def test_the_file_repeats_the_network_that_was_described(tmp_path) -> None:
    described = describe_random(Stepwise(nn.Linear(20, 30), snntorch.Leaky(beta=PER_NEURON)))
    nir.write(tmp_path / "x.nir", described.graph)
    graph, metadata = read_nir(tmp_path / "x.nir", dt_s=None)
    assert metadata == described.metadata
    assert metadata.resets["layers_1"] == Reset(kind=ResetKind.SUBTRACT, delay=1)
    assert read_back(lower(graph, metadata), described).mismatches == 0


def test_one_changed_weight_is_noticed_and_located() -> None:
    described = describe_random(Stepwise(nn.Linear(20, 30), snntorch.Leaky(beta=0.9)))
    described.graph.nodes["layers_0"].weight[7] += 0.5
    comparison = read_back(lowered(described), described)
    assert comparison.mismatches > 0 and "layer layers_1" in comparison.first and "neuron 7" in comparison.first


def test_training_afterwards_does_not_reach_into_the_description() -> None:
    network = Stepwise(nn.Linear(20, 30), snntorch.Leaky(beta=0.9))
    described = describe_random(network)
    with torch.no_grad():
        network.layers[0].weight.zero_()
    assert_repeated_any(described)
    assert described.graph.nodes["layers_0"].weight.any()


def test_ties_are_excused_only_at_the_threshold() -> None:
    described = describe_random(Stepwise(nn.Linear(20, 30), snntorch.Leaky(beta=0.9)))
    wrong = {name: raster.copy() for name, raster in described.spikes.items()}
    wrong["layers_1"][0, 0, 0] ^= 1
    comparison = compare_run(lowered(described), described.raster, wrong, {})
    assert (comparison.mismatches, comparison.ties) == (1, 0)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (nn.LayerNorm(30), "LayerNorm"),
        (nn.ReLU(), "ReLU"),
        (snntorch.Leaky(beta=0.9, inhibition=True), "inhibition"),
        (snntorch.Leaky(beta=0.9, graded_spikes_factor=2.0), "graded_spikes_factor"),
        (norse.LIFBoxCell(norse.LIFBoxParameters(reset_method=lambda *a: a[1])), "reset method"),
        (snntorch.Synaptic(alpha=0.9, beta=1.0), "time constant"),
    ],
)
def test_layers_without_a_meaning_in_nir_are_refused(layer: nn.Module, message: str) -> None:
    network = Stepwise(nn.Linear(20, 30), layer, nn.Linear(30, 30), snntorch.Leaky(beta=0.9))
    with pytest.raises(NirError, match=message):
        describe_random(network)


def test_different_steps_are_refused() -> None:
    network = Stepwise(nn.Linear(20, 30), norse.LIFBoxCell(dt=1e-3), nn.Linear(30, 5), norse.LIFBoxCell(dt=1e-4))
    with pytest.raises(NirError, match="different dt"):
        describe_random(network)


def test_a_network_without_neurons_is_refused() -> None:
    network = nn.Sequential(nn.Linear(20, 30))
    with pytest.raises(NirError, match="no neuron layer ran"):
        describe(network, lambda: network(torch.rand(5, 20)), dt_s=None, readout=None, coding={})


def test_constants_are_one_dimensional_arrays() -> None:
    node = describe_random(Stepwise(nn.Linear(20, 30), snntorch.Leaky(beta=0.9))).graph.nodes["layers_1"]
    assert all(np.shape(getattr(node, name)) == (30,) for name in ("tau", "r", "v_leak", "v_threshold", "v_reset"))
