"""Training with integers: the forward pass is the golden model, gradients pass through, deployment changes nothing."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from lightning_neuro.errors import ConfigError
from lightning_neuro.graph import golden
from lightning_neuro.graph.calibrate import quantize_network
from lightning_neuro.graph.export import describe
from lightning_neuro.graph.hardware_graph import ReadoutKind
from lightning_neuro.graph.lower import lower
from lightning_neuro.graph.widths import QuantizeSpec
from lightning_neuro.models.network import NeuronOptions, build
from lightning_neuro.neurons.rounded_weights import SEARCH_EVERY, float_weight, round_weights
from lightning_neuro.quantization_aware import parse_widths, train_rounded
from tests.graph.networks import spikes

OPTIONS = NeuronOptions(
    neuron="native",
    tau_syn=None,
    dt=1e-3,
    threshold=1.0,
    reset="zero",
    reset_delay=0,
    learn_beta=False,
    learn_alpha=False,
    learn_threshold=False,
    beta_constraint="none",
    surrogate="atan",
    surrogate_slope=2.0,
)


def network(reset: str, delay: int, tau_syn: float | None, bias: bool, beta: float = 0.9) -> nn.Sequential:
    torch.manual_seed(3)
    options = dataclasses.replace(OPTIONS, reset=reset, reset_delay=delay, tau_syn=tau_syn)
    modules = build([12, 14, 5], beta, bias, reset, options)
    with torch.no_grad():
        for linear in list(modules)[::2]:
            linear.weight.mul_(3.0)  # so that every layer spikes
    return modules


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
@pytest.mark.parametrize("scale", ["searched", "learned"])
def test_rounded_weights_are_few_multiples_of_one_number(bits: int, scale) -> None:
    layer = nn.Linear(30, 20)
    rounded = round_weights(layer, bits, 0.0, scale)
    raw = (layer.weight / rounded.effective_lsb()).detach()
    assert torch.allclose(raw, raw.round(), atol=1e-5) and len(raw.round().unique()) <= 2**bits
    assert float_weight(layer).detach().unique().numel() > 2**bits


def test_gradients_pass_inside_the_range_and_stop_outside() -> None:
    layer = nn.Linear(4, 1, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[0.1, 0.24, 0.9, -5.0]]))
    rounded = round_weights(layer, 3, 0.0, "searched")
    rounded.eval()
    rounded.lsb.fill_(0.1)
    layer.weight.sum().backward()
    gradient = float_weight(layer).grad
    assert gradient is not None and gradient.tolist() == [[1.0, 1.0, 0.0, 0.0]]


def test_a_learned_lsb_has_a_gradient() -> None:
    layer = nn.Linear(6, 3)
    rounded = round_weights(layer, 4, 0.0, "learned")
    (layer.weight**2).sum().backward()
    assert isinstance(rounded.log_lsb, nn.Parameter) and rounded.log_lsb.grad is not None and rounded.log_lsb.grad != 0


def test_a_learned_lsb_survives_steps_larger_than_itself_and_leaves_its_limit_again() -> None:
    layer = nn.Linear(6, 3)
    rounded = round_weights(layer, 4, 0.01, "learned")
    start = rounded.effective_lsb()
    for target, reached in ((0.0, lambda lsb: lsb == pytest.approx(0.01)), (2.0, lambda lsb: lsb > start)):
        optimiser = torch.optim.Adam([rounded.log_lsb], lr=0.1)
        for _ in range(60):
            optimiser.zero_grad()
            (layer.weight.abs().max() - target).abs().backward()
            optimiser.step()
        assert reached(rounded.effective_lsb())


@pytest.mark.parametrize(("reset", "delay"), [("zero", 0), ("zero", 1), ("subtract", 0), ("subtract", 1)])
@pytest.mark.parametrize("tau_syn", [None, 4e-3])
@pytest.mark.parametrize("bias", [False, True])
def test_the_forward_pass_in_training_is_the_golden_model_in_integers(reset, delay, tau_syn, bias) -> None:
    modules = network(reset, delay, tau_syn, bias)
    train_rounded(modules, parse_widths("w4v9d6"), "searched")
    raster = spikes(7, 25, 12, rate=0.4)
    modules.train()
    signal = torch.from_numpy(raster).transpose(0, 1).float()
    rasters, membranes = [], []
    for linear, neurons in zip(list(modules)[::2], list(modules)[1::2], strict=True):
        signal, membrane = neurons(linear(signal))
        rasters.append(signal.transpose(0, 1).detach().numpy())
        membranes.append(membrane.transpose(0, 1).detach().double().numpy())
    modules.eval()
    graph = lower(*_described(modules, raster))
    spec = QuantizeSpec(weight_bits=4, state_bits=9, leak_bits=6)
    integers, _ = quantize_network(graph, spec, None)
    run = golden.run(integers, raster, arithmetic="fixed", record=True)
    for population, got, membrane in zip(integers.populations, rasters, membranes, strict=True):
        assert np.array_equal(run.spikes[population.name], got)
        assert population.state_format is not None and got.any()
        wanted = run.membrane[population.name] * population.state_format.lsb
        assert np.allclose(wanted, membrane, atol=1e-4)


def _described(modules: nn.Module, raster: np.ndarray):
    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = modules

        def forward(self, raster: torch.Tensor) -> torch.Tensor:
            signal = raster.transpose(0, 1)
            for linear, neurons in zip(list(self.network)[::2], list(self.network)[1::2], strict=True):
                signal, _ = neurons(linear(signal))
            return signal.sum(0)

    whole, sample = Whole(), torch.from_numpy(raster)
    found = describe(whole, lambda: whole(sample), dt_s=1e-3, readout=ReadoutKind.SPIKE_COUNT, coding={})
    return found.graph, found.metadata


def test_membranes_are_real_numbers_again_after_training() -> None:
    rounded, plain = network("zero", 0, None, False), network("zero", 0, None, False)
    train_rounded(rounded, parse_widths("w16v6"), "searched")
    signal = torch.from_numpy(spikes(4, 20, 12)).transpose(0, 1).float()
    drive = plain[0](signal)
    assert torch.equal(rounded.eval()[1](drive)[1], plain[1](drive)[1])
    assert not torch.equal(rounded.train()[1](drive)[1], plain[1](drive)[1])


def test_rounding_trained_weights_again_changes_none_of_them() -> None:
    modules = network("zero", 0, None, False)
    train_rounded(modules, parse_widths("w3"), "searched")
    modules.eval()
    raster = spikes(6, 20, 12)
    graph = lower(*_described(modules, raster))
    from lightning_neuro.data.spike_set import SpikeSet

    calibration = SpikeSet(spikes=raster, labels=np.zeros(6, np.int64))
    integers, _ = quantize_network(graph, QuantizeSpec(weight_bits=3, state_bits=8, leak_bits=4), calibration)
    for before, after in zip(graph.projections, integers.projections, strict=True):
        assert np.allclose(before.connection.weight.real, after.connection.weight.real, rtol=1e-6)


@pytest.mark.parametrize("text", ["", "4", "v8", "w4v", "w4 v8", "w1", "w4v3", "w40"])
def test_widths_that_no_format_has_are_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_widths(text)


def test_a_module_without_weights_is_refused() -> None:
    with pytest.raises(ConfigError, match="no layer with weights"):
        train_rounded(nn.Sequential(nn.ReLU()), parse_widths("w4"), "searched")


def test_membranes_without_leak_stay_real_in_training() -> None:
    rounded, plain = (network("subtract", 0, None, False, beta=1.0) for _ in range(2))
    train_rounded(rounded, parse_widths("w16v8"), "searched")
    signal = torch.from_numpy(spikes(4, 20, 12)).transpose(0, 1).float()
    drive = plain[0](signal)
    assert torch.equal(rounded.train()[1](drive)[1], plain[1](drive)[1])


def test_narrow_membranes_of_snntorch_coarsen_weights_as_deployment_does() -> None:
    from lightning_neuro.peers import snntorch

    modules = nn.Sequential(nn.Linear(40, 8), snntorch.Leaky(beta=0.9, threshold=2.0))
    [rounded] = train_rounded(modules, parse_widths("w6v5"), "searched").values()
    assert rounded.effective_lsb() == pytest.approx(2 * 2.0 / 15)


def test_the_scale_is_searched_again_after_many_updates_and_not_in_evaluation() -> None:
    layer = nn.Linear(6, 3)
    rounded = round_weights(layer, 4, 0.0, "searched")
    scales = []
    for _ in range(SEARCH_EVERY + 2):
        with torch.no_grad():
            float_weight(layer).mul_(1.05)  # an update
        layer.eval()
        scales.append(float(rounded.lsb))
        _ = layer.weight
        assert float(rounded.lsb) == scales[-1]
        layer.train()
        _ = layer.weight, layer.weight  # two uses, one search
    changes = np.flatnonzero(np.diff(scales))
    assert changes.tolist() == [SEARCH_EVERY - 1]  # registering the rounding used the weight once
