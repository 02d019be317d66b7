"""Every neuron x reset x delay x library, and layers beside Linear: 0 of 16,000 slots or more differ, or a refusal."""

from __future__ import annotations

from collections.abc import Callable

import nir
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lightning_neuro.errors import NirError
from lightning_neuro.graph.blocks import loops
from lightning_neuro.graph.export import describe, lowered, read_back, to_nir
from lightning_neuro.graph.hardware_graph import Convolution, Pooled, ResetKind
from lightning_neuro.neurons import LIF, make_surrogate
from lightning_neuro.peers import norse, reset_subtract, reset_value, snntorch

SNNTORCH = (snntorch.Leaky, snntorch.Synaptic, snntorch.RLeaky, snntorch.RSynaptic)
NORSE = (norse.LIFBoxCell, norse.LIFCell, norse.LIFRecurrentCell, norse.LIBoxCell, norse.IAFCell)


class Stepwise(nn.Module):
    """A stranger's network: [sample, step, ...] in, one step at a time, whatever states the cells want handed on."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, raster: Tensor) -> Tensor:
        states: dict[int, tuple] = {}
        outputs = []
        for t in range(raster.shape[1]):
            signal = raster[:, t]
            for index, layer in enumerate(self.layers):
                if isinstance(layer, snntorch.RLeaky | snntorch.RSynaptic):
                    states[index] = layer(signal, *states.get(index, ()))
                    signal = states[index][0]
                elif isinstance(layer, (*SNNTORCH, *NORSE)):
                    signal, *states[index] = layer(signal, *states.get(index, ()))
                else:
                    signal = layer(signal)
            outputs.append(signal)
        return torch.stack(outputs)


def random_input(*shape: int, samples: int = 14, steps: int = 40, rate: float = 0.3) -> Tensor:
    return (torch.rand(samples, steps, *shape) < rate).float()


def mismatches(network: nn.Module, raster: Tensor, dt_s: float | None = None) -> tuple[int, int, float]:
    """Differing slots, compared slots, and the busiest layer's spikes per slot."""
    described = describe(network, lambda: network(raster), dt_s=dt_s, readout=None, coding={})
    found = read_back(lowered(described), described)
    assert found.ties <= 2
    return found.mismatches, found.slots, max((float(s.mean()) for s in described.spikes.values()), default=1.0)


@pytest.fixture(autouse=True)
def same_weights() -> None:
    torch.manual_seed(5)


PER_NEURON = torch.linspace(0.5, 0.95, 30)
THRESHOLDS = torch.linspace(0.4, 1.2, 30)


def snntorch_layer(kind: str, reset: str, delay: bool, each: bool) -> nn.Module:
    beta, threshold = (PER_NEURON, THRESHOLDS) if each else (0.9, 0.8)
    common = {"threshold": threshold, "reset_mechanism": reset, "reset_delay": delay}
    makers: dict[str, Callable[[], nn.Module]] = {
        "Leaky": lambda: snntorch.Leaky(beta=beta, **common),
        "Synaptic": lambda: snntorch.Synaptic(alpha=0.7, beta=beta, **common),
        "RLeaky": lambda: snntorch.RLeaky(beta=beta, linear_features=30, **common),
        "RLeaky, one to one": lambda: snntorch.RLeaky(beta=beta, all_to_all=False, V=-0.3 * torch.rand(30), **common),
        "RSynaptic": lambda: snntorch.RSynaptic(alpha=0.6, beta=beta, linear_features=30, **common),
        "RSynaptic, one to one": lambda: snntorch.RSynaptic(alpha=0.6, beta=beta, all_to_all=False, V=-0.2, **common),
    }
    return makers[kind]()


@pytest.mark.parametrize("each", [False, True], ids=["scalar", "per-neuron"])
@pytest.mark.parametrize("delay", [True, False], ids=["delayed", "at once"])
@pytest.mark.parametrize("reset", ["zero", "subtract", "none"])
@pytest.mark.parametrize(
    "kind", ["Leaky", "Synaptic", "RLeaky", "RLeaky, one to one", "RSynaptic", "RSynaptic, one to one"]
)
def test_snntorch(kind: str, reset: str, delay: bool, each: bool) -> None:
    """Only subtraction at once may be refused: above twice the threshold snnTorch resets once more."""
    network = Stepwise(nn.Linear(20, 30), snntorch_layer(kind, reset, delay, each))
    raster = random_input(20)
    if "RSynaptic" in kind and not delay:
        with pytest.raises(TypeError):  # snnTorch 1.0.0 itself fails: it divides a spike it has not computed yet
            network(raster)
        return
    if reset == "none" and "R" in kind:
        with pytest.raises(NirError, match="integrator"):  # its spikes feed back: no read-out, and nothing else
            mismatches(network, raster)
        return
    wrong, slots, busy = mismatches(network, raster)
    assert slots >= 16_000 and busy > 0.01
    if (reset, delay) == ("subtract", False) and wrong:
        with pytest.raises(NirError, match="does not repeat"):
            to_nir(network, raster)
    else:
        assert wrong == 0


@pytest.mark.parametrize("kind", ["Leaky", "RLeaky", "Synaptic"])
def test_snntorch_subtraction_at_once_is_repeated_where_no_membrane_reaches_twice_the_threshold(kind: str) -> None:
    layer = snntorch_layer(kind, "subtract", False, False)
    layer.threshold.fill_(3.0)
    wrong, slots, busy = mismatches(Stepwise(nn.Linear(20, 30), layer), random_input(20, rate=0.6))
    assert (wrong, slots >= 16_000) == (0, True) and busy > 0.001


@pytest.mark.parametrize(
    ("kind", "reset"),
    [
        ("LIFBoxCell", reset_value),
        ("LIFBoxCell", reset_subtract),
        ("LIFCell", reset_value),  # the only reset that this cell and the next have
        ("LIFRecurrentCell", reset_value),
    ],
)
@pytest.mark.parametrize("each", [False, True], ids=["scalar", "per-neuron"])
def test_norse(kind: str, reset, each: bool) -> None:
    threshold = torch.linspace(0.05, 0.3, 30) if each else torch.tensor(0.15)
    if kind == "LIFBoxCell":
        p = norse.LIFBoxParameters(tau_mem_inv=torch.tensor(250.0), v_th=threshold, reset_method=reset)
        network = Stepwise(nn.Linear(20, 30), norse.LIFBoxCell(p))
    elif kind == "LIFCell":
        network = Stepwise(nn.Linear(20, 30), norse.LIFCell(norse.LIFParameters(v_th=threshold)))
    else:
        network = Stepwise(norse.LIFRecurrentCell(20, 30, norse.LIFParameters(v_th=threshold)))
    wrong, slots, busy = mismatches(network, random_input(20))
    assert (wrong, slots >= 16_000) == (0, True) and busy > 0.01


def test_norse_integrate_and_fire_and_its_reset_potential() -> None:
    p = norse.IAFParameters(v_th=torch.tensor(1.0), v_reset=torch.tensor(-0.4))
    network = Stepwise(nn.Linear(20, 30), norse.IAFCell(p))
    wrong, slots, busy = mismatches(network, random_input(20))
    assert (wrong, slots >= 16_000) == (0, True) and busy > 0.01


@pytest.mark.parametrize("v_leak", [0.0, 0.25])
def test_norse_integrator_as_readout(v_leak: float) -> None:
    p = norse.LIBoxParameters(tau_mem_inv=torch.tensor(100.0), v_leak=torch.tensor(v_leak))
    box = norse.LIFBoxCell(norse.LIFBoxParameters(v_th=torch.tensor(0.1)))
    network = Stepwise(nn.Linear(20, 30), box, nn.Linear(30, 10), norse.LIBoxCell(p))
    raster = random_input(20)
    described = describe(network, lambda: network(raster), dt_s=None, readout=None, coding={})
    assert set(described.membranes) == {"layers_3"}
    found = read_back(lowered(described), described)
    assert found.mismatches == 0 and found.slots == 14 * 40 * 40


@pytest.mark.parametrize("delay", [0, 1])
@pytest.mark.parametrize("reset", ["zero", "subtract", "none"])
@pytest.mark.parametrize("alpha", [None, 0.7])
def test_native(reset: str, delay: int, alpha: float | None) -> None:
    lif = LIF(
        30, beta=PER_NEURON, alpha=alpha, threshold=THRESHOLDS, reset=reset, reset_delay=delay, learn_beta=False,
        learn_alpha=False, learn_threshold=False, beta_constraint="none", surrogate=make_surrogate("atan", 2.0),
    )  # fmt: skip
    network = nn.Sequential(nn.Linear(20, 30), lif)
    raster = random_input(20).transpose(0, 1).contiguous()
    wrong, slots, _ = mismatches(network, raster, 1e-3)
    assert (wrong, slots >= 16_000) == (0, True)


# -- convolution and what surrounds it ---------------------------------------------------------------------------


def trained(module: nn.Module) -> nn.Module:
    """A batch normalisation with statistics of its own."""
    with torch.no_grad():
        for name, value in (*module.named_parameters(), *module.named_buffers()):
            if "num_batches" not in name:
                value.copy_(0.5 + torch.rand_like(value))
    return module


def leaky(threshold: float = 0.5) -> nn.Module:
    return snntorch.Leaky(beta=0.9, threshold=threshold)


def box() -> nn.Module:
    return norse.LIFBoxCell(norse.LIFBoxParameters(v_th=torch.tensor(0.04)))


def snntorch_network() -> list[nn.Module]:
    first, second = nn.Conv2d(2, 6, 3, stride=2, padding=1), nn.Conv2d(6, 8, 3, padding="same", groups=2)
    end = [nn.Dropout2d(0.5), nn.Flatten(), nn.Linear(128, 20), leaky(0.3)]
    return [first, leaky(), nn.AvgPool2d(2), second, leaky(0.3), *end]


def norse_network() -> list[nn.Module]:
    first = nn.Conv2d(2, 4, (3, 2), dilation=(1, 2), bias=False)
    return [first, box(), nn.LPPool2d(1, 2), nn.Flatten(), nn.Linear(96, 10), box()]


def one_axis() -> list[nn.Module]:
    return [nn.Conv1d(3, 8, 5, stride=2), leaky(), nn.Flatten(), nn.Linear(96, 10), leaky(0.3)]


def normalised() -> list[nn.Module]:
    first = [nn.Conv2d(1, 5, 3), trained(nn.BatchNorm2d(5)), leaky(1.0), nn.Flatten()]
    return [*first, nn.Linear(180, 20, bias=False), trained(nn.BatchNorm1d(20)), leaky(2.0)]


def by_channel() -> list[nn.Module]:
    each = snntorch.Leaky(beta=0.8, threshold=torch.rand(4, 1, 1) + 0.2)
    return [nn.Conv2d(1, 4, 3), each, nn.Flatten(), nn.Linear(144, 20), leaky()]


def recurrent_convolution() -> list[nn.Module]:
    loop = snntorch.RLeaky(beta=0.8, conv2d_channels=4, kernel_size=3)
    return [nn.Conv2d(1, 4, 3), loop, nn.Flatten(), nn.Linear(144, 20), leaky()]


CONVOLUTIONAL: dict[str, tuple[Callable[[], list[nn.Module]], tuple[int, ...]]] = {
    "snnTorch": (snntorch_network, (2, 16, 16)),
    "Norse": (norse_network, (2, 10, 14)),
    "one axis": (one_axis, (3, 28)),
    "batch normalisation": (normalised, (1, 8, 8)),
    "threshold of each channel": (by_channel, (1, 8, 8)),
    "recurrent convolution": (recurrent_convolution, (1, 8, 8)),
}


@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_convolutional_networks(name: str) -> None:
    layers, shape = CONVOLUTIONAL[name]
    network = Stepwise(*layers())
    wrong, slots, busy = mismatches(network, random_input(*shape, steps=20))
    assert (wrong, slots >= 16_000) == (0, True) and busy > 0.01


def test_weights_stay_shared_and_images_keep_their_shape() -> None:
    layers, shape = CONVOLUTIONAL["snnTorch"]
    network = Stepwise(*layers())
    raster = random_input(*shape, samples=3, steps=5)
    described = describe(network, lambda: network(raster), dt_s=None, readout=None, coding={})
    graph = lowered(described)
    assert graph.input.shape == (2, 16, 16) and graph.populations[0].shape == (6, 8, 8)
    assert [type(p.connection) for p in graph.projections[:2]] == [Convolution, Pooled]
    assert isinstance(described.graph.nodes["layers_7_flatten"], nir.Flatten)


def test_a_recurrent_layer_is_one_loop_whose_bias_acts_at_once() -> None:
    network = Stepwise(nn.Linear(20, 30), snntorch_layer("RLeaky", "zero", True, False))
    raster = random_input(20)
    described = describe(network, lambda: network(raster), dt_s=None, readout=None, coding={})
    graph = lowered(described)
    assert loops(graph) == (("layers_1",),) and not graph.populations[0].late_biases
    assert graph.populations[0].neuron.reset.kind is ResetKind.CLAMP
    expected = network.layers[0].bias + network.layers[1].recurrent.bias
    np.testing.assert_allclose(graph.populations[0].bias.real, expected.detach().numpy(), rtol=1e-6)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([nn.BatchNorm1d(20), nn.Linear(20, 30), leaky()], "BatchNorm1d without a Linear"),
        ([nn.Linear(20, 30), leaky(), nn.BatchNorm1d(30), nn.Linear(30, 9), leaky()], "BatchNorm1d without a Linear"),
        ([snntorch.RLeaky(beta=0.9, linear_features=20)], "recurrent bias without a layer"),
        ([nn.Linear(20, 30), nn.LayerNorm(30), leaky()], "LayerNorm"),
    ],
)
def test_what_has_no_exact_counterpart_is_refused(layers: list[nn.Module], message: str) -> None:
    network = Stepwise(*layers)
    with pytest.raises(NirError, match=message):
        to_nir(network, random_input(20))


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (nn.AvgPool2d(2, ceil_mode=True), "ceil_mode"),
        (nn.AvgPool2d(3, 1, 1, count_include_pad=False), "ceil_mode"),
        (nn.LPPool2d(2, 2), "norm 2"),
    ],
)
def test_pooling_that_nir_cannot_say_is_refused(layer: nn.Module, message: str) -> None:
    network = Stepwise(nn.Conv2d(1, 2, 3), layer, leaky(), nn.Flatten(), nn.LazyLinear(5), leaky())
    with pytest.raises(NirError, match=message):
        to_nir(network, random_input(1, 9, 9))


def test_to_nir_returns_a_graph_that_says_everything() -> None:
    network = Stepwise(nn.Linear(20, 30), leaky())
    graph = to_nir(network, random_input(20), dt=2e-3)
    assert graph.metadata["dt"] == 2e-3 and '"layers_1": "subtract/1"' in graph.metadata["resets"]


def test_to_nir_refuses_what_happens_between_layers() -> None:
    class Skips(Stepwise):
        def forward(self, raster: Tensor) -> Tensor:
            return super().forward(raster * 2)

    class Doubles(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.lif = nn.Linear(20, 30), leaky()

        def forward(self, raster: Tensor) -> Tensor:
            mem, out = None, []
            for t in range(raster.shape[1]):
                spikes, mem = self.lif(2 * self.fc(raster[:, t]), *([] if mem is None else [mem]))
                out.append(spikes)
            return torch.stack(out)

    to_nir(Skips(nn.Linear(20, 30), leaky()), random_input(20))  # before the first layer: part of the input
    with pytest.raises(NirError, match="does not repeat the spikes"):
        to_nir(Doubles(), random_input(20))
