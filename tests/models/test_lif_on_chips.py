"""LIF training as an analogue chip runs it: weights on a grid, other neurons in every batch, nothing in evaluation."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from lightning_neuro.errors import ConfigError
from lightning_neuro.models.lif_on_chips import LIFOnChips
from lightning_neuro.neurons.chip_profiles import ChipProfile, NeuronFactors
from lightning_neuro.neurons.spike_matmul import EventLinear
from tests.models.test_lif import batch, classifier, fit, loss_of

TAU_MEM, TAU_SYN = 8.0, 5.0  # steps


def factors(**changes: float) -> NeuronFactors:
    names = ("threshold", "excitatory_gain", "inhibitory_gain", "tau_mem", "tau_syn")
    return NeuronFactors(**{n: torch.tensor([changes.get(n, 1.0)], dtype=torch.float64) for n in names})


def potential(monkeypatch, drawn: NeuronFactors, tau_syn: float | None, steps: int = 30) -> Tensor:
    """Membrane after each step of a silent neuron that got one spike over a synapse of weight 1."""
    monkeypatch.setattr(ChipProfile, "draw", lambda self, shape, generator: drawn)
    model = classifier(
        layers=[1, 2], tau_syn=tau_syn, beta=math.exp(-1 / TAU_MEM), dt=1.0, threshold=1e3, noise="delgrad"
    )
    linear, neurons = model.network
    if neurons.alpha is not None:
        neurons.alpha.fill_(math.exp(-1 / TAU_SYN))
    linear.weight.data.fill_(1.0)
    spikes = torch.zeros(steps, 1, 1)
    spikes[0] = 1
    return model.on_chips.layer(linear, neurons, spikes)[1][:, 0, 0].detach()


CHIPS = [{"tau_mem": 1.1}, {"tau_syn": 1.1}, {"tau_mem": 0.9, "tau_syn": 1.05, "excitatory_gain": 1.07}]


@pytest.mark.parametrize("changes", CHIPS)
def test_a_potential_is_that_of_the_chips_neuron_with_its_own_time_constants(changes, monkeypatch) -> None:
    """tau_mem v' = -v + i, tau_syn i' = -i; i jumps by what gives the nominal neuron the potential of the steps."""

    def chip(tau_mem: float, tau_syn: float, jump: float) -> Tensor:
        time = torch.arange(1, 31)
        return jump * tau_syn / (tau_mem - tau_syn) * (torch.exp(-time / tau_mem) - torch.exp(-time / tau_syn))

    nominal = potential(monkeypatch, factors(), TAU_SYN)
    jump = float(nominal[0] / chip(TAU_MEM, TAU_SYN, 1.0)[0])
    assert torch.allclose(nominal, chip(TAU_MEM, TAU_SYN, jump), rtol=1e-4)
    own = chip(
        TAU_MEM * changes.get("tau_mem", 1.0),
        TAU_SYN * changes.get("tau_syn", 1.0),
        jump * changes.get("excitatory_gain", 1.0),
    )
    assert torch.allclose(potential(monkeypatch, factors(**changes), TAU_SYN), own, rtol=0.02)


def test_a_delta_synapse_keeps_the_charge_of_the_short_current_that_stands_for_it(monkeypatch) -> None:
    first = potential(monkeypatch, factors(tau_mem=1.1, tau_syn=1.05), None)[0]
    assert float(first) == pytest.approx(1.05 / 1.1)


def test_chips_differ_from_batch_to_batch_in_training_and_do_nothing_in_evaluation() -> None:
    raster = batch()[0]
    noisy, exact = classifier(noise="measured-w66f3"), classifier()
    membranes = [noisy.layer_outputs(raster)[0][1] for _ in range(2)]
    assert not torch.equal(*membranes)
    assert torch.equal(noisy.eval()(raster), exact.eval()(raster))


def test_training_sees_weights_on_the_grid_and_moves_the_float_ones() -> None:
    linear = EventLinear(20, 16, bias=False)
    seen: list[Tensor] = []
    spikes = torch.eye(20)[:, None, :]
    LIFOnChips(noise="ideal", weight_step=0.1, neuron="native").layer(
        linear,
        lambda drive: seen.append(drive) or (drive, drive),  # type: ignore[arg-type, func-returns-value, return-value]
        spikes,
    )
    assert torch.allclose(seen[0][:, 0].T, torch.round(linear.weight / 0.1) * 0.1)
    seen[0].sum().backward()
    assert linear.weight.grad is not None and torch.equal(linear.weight.grad, torch.ones(16, 20))


@pytest.mark.parametrize("tau_syn", [None, 4e-3])
def test_training_on_chips_lowers_the_loss(tau_syn, tmp_path) -> None:
    model = classifier(noise="measured-w66f3", weight_step=0.05, tau_syn=tau_syn)
    before = loss_of(model)
    fit(model.train(), tmp_path, epochs=20)
    assert loss_of(model) < 0.8 * before


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"noise": "loud"}, "loud"),
        ({"weight_step": 0.0}, "weight_step"),
        ({"noise": "delgrad", "neuron": "norse"}, "norse"),
    ],
)
def test_impossible_options_are_refused_by_name(wrong, word) -> None:
    with pytest.raises(ConfigError, match=word):
        classifier(**wrong)
