"""Native neurons equal snnTorch and Norse spike by spike where they compute the same; else we refuse."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch

from lightning_neuro.errors import ConfigError
from lightning_neuro.neurons import LIF, make_surrogate
from lightning_neuro.neurons.libraries import NorseNeurons, SnnTorchNeurons, make

STEPS, BATCH, SIZE = 25, 16, 24
BASE = {
    "beta": 0.875,
    "alpha": None,
    "threshold": 1.0,
    "learn_beta": False,
    "learn_alpha": False,
    "learn_threshold": False,
    "beta_constraint": "none",
}


def native(options) -> LIF:
    return LIF(SIZE, surrogate=make_surrogate("fast_sigmoid", 5.0), **options)


def foreign(library: str, options) -> SnnTorchNeurons | NorseNeurons:
    return make(library, SIZE, surrogate="fast_sigmoid", surrogate_slope=5.0, dt=1e-3, **options)


def linear_drive(scale: float) -> torch.Tensor:
    """Drive of a linear layer on random spikes: the same weights for both libraries."""
    generator = torch.Generator().manual_seed(7)
    spikes = (torch.rand(STEPS, BATCH, 40, generator=generator) < 0.15).float()
    return spikes @ (torch.randn(40, SIZE, generator=generator) * scale + 0.05)


def compare(library: str, scale: float = 0.35, **changes) -> None:
    options = BASE | changes
    drive = linear_drive(scale)
    spikes, membrane = native(options)(drive)
    other_spikes, other_membrane = foreign(library, options)(drive)
    assert spikes.sum() > 300
    assert int((spikes != other_spikes).sum()) == 0
    torch.testing.assert_close(membrane, other_membrane, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("reset", "delay", "alpha"),
    [
        ("zero", 0, None),
        ("zero", 1, None),
        ("subtract", 1, None),
        ("none", 1, None),
        ("none", 0, None),
        ("zero", 0, 0.5),
        ("subtract", 1, 0.5),
        ("none", 1, 0.5),
        ("none", 0, 0.5),
    ],
)
def test_native_equals_snntorch(reset, delay, alpha):
    compare("snntorch", reset=reset, reset_delay=delay, alpha=alpha)


@pytest.mark.parametrize("alpha", [None, 0.5])
def test_native_equals_snntorch_immediate_subtraction_below_twice_the_threshold(alpha):
    compare("snntorch", scale=0.03, reset="subtract", reset_delay=0, alpha=alpha, threshold=1.5)


@pytest.mark.parametrize("reset", ["zero", "subtract", "none"])
def test_native_equals_norse_box_neurons(reset):
    compare("norse", reset=reset, reset_delay=0)


def test_native_equals_norse_current_based_neurons():
    compare("norse", reset="zero", reset_delay=0, alpha=0.75, beta=0.8, threshold=1.3)


@pytest.mark.parametrize(
    ("library", "changes", "word"),
    [
        ("norse", {"reset": "zero", "reset_delay": 1}, "reset delay"),
        ("norse", {"reset": "subtract", "reset_delay": 0, "alpha": 0.5}, "LIFCell"),
        ("norse", {"reset": "zero", "reset_delay": 0, "beta": 1.0}, "beta = 1"),
        ("snntorch", {"reset": "zero", "reset_delay": 1, "alpha": 0.5}, "Synaptic"),
        (
            "snntorch",
            {"reset": "zero", "reset_delay": 0, "learn_beta": True, "beta_constraint": "shift"},
            "shifts",
        ),
    ],
)
def test_what_a_library_computes_differently_is_refused_with_a_remedy(library, changes, word):
    with pytest.raises(ConfigError, match=word) as caught:
        foreign(library, BASE | changes)
    assert "model." in caught.value.next_command


def test_snntorch_immediate_subtraction_above_twice_the_threshold_is_refused_when_it_happens():
    neurons = foreign("snntorch", BASE | {"reset": "subtract", "reset_delay": 0})
    with pytest.raises(ConfigError, match="twice the threshold"):
        neurons(linear_drive(1.5))


@pytest.mark.parametrize("library", ["snntorch", "norse"])
def test_library_layers_learn_their_constants_and_stay_copyable(library):
    options = BASE | {"reset": "zero", "reset_delay": 0, "learn_beta": True}
    neurons = foreign(library, options)
    neurons(linear_drive(0.35))[0].sum().backward()
    (parameter,) = neurons.parameters()
    assert parameter.grad is not None and parameter.grad.abs().sum() > 0
    drive = linear_drive(0.35)
    for twin in (copy.deepcopy(neurons), pickle.loads(pickle.dumps(neurons))):
        assert torch.equal(twin(drive)[0], neurons(drive)[0])


@pytest.mark.parametrize("library", ["snntorch", "norse"])
def test_library_constants_are_per_neuron_and_in_the_state_dict(library):
    neurons = foreign(library, BASE | {"reset": "zero", "reset_delay": 0, "alpha": 0.5})
    constants = neurons.constants()
    assert constants.alpha is not None
    assert constants.beta.shape == constants.alpha.shape == constants.threshold.shape == (SIZE,)
    names = {name.split(".")[-1] for name in neurons.state_dict()}
    assert {"beta", "alpha", "threshold"} <= names


@pytest.mark.parametrize("surrogate", ["atan", "fast_sigmoid", "triangle"])
def test_norse_learns_with_its_nearest_surrogate(surrogate):
    options = BASE | {"reset": "zero", "reset_delay": 0}
    neurons = make("norse", SIZE, surrogate=surrogate, surrogate_slope=2.0, dt=1e-3, **options)
    drive = linear_drive(0.35).requires_grad_()
    neurons(drive)[0].sum().backward()
    assert drive.grad is not None and drive.grad.abs().sum() > 0


def test_a_surrogate_norse_does_not_have_is_refused():
    with pytest.raises(ConfigError, match="boxcar"):
        make("norse", SIZE, surrogate="boxcar", surrogate_slope=2.0, dt=1e-3, **BASE, reset="zero", reset_delay=0)


def test_shift_constraint_rounds_the_libraries_beta():
    neurons = foreign("snntorch", BASE | {"reset": "zero", "reset_delay": 0, "beta": 0.9, "beta_constraint": "shift"})
    assert torch.equal(neurons.constants().beta, torch.full((SIZE,), 0.875))
