"""The ANN of model=rate: layers from a description, what does not fit, and the activations that become rates."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lightning_neuro.convert import QCFS
from lightning_neuro.errors import ConfigError
from lightning_neuro.models.rate import RateClassifier
from lightning_neuro.models.rate_network import AnnOptions, build_ann

PLAIN = AnnOptions(activation="relu", levels=8, clip=4.0, norm=True, dropout=0.0)
LENET = [
    {"conv": 6, "kernel": 5},
    {"pool": 2},
    {"conv": 16, "kernel": 5, "padding": 0},
    {"pool": 2},
    {"dense": 120},
    {"dense": 84},
]


def model(**changes) -> RateClassifier:
    options = {
        "input_shape": [1, 8, 8],
        "classes": 10,
        "network": [{"conv": 4}, {"pool": 2}, {"dense": 16}],
        "norm": True,
        "activation": "relu",
        "levels": 4,
        "clip": 4.0,
        "dropout": 0.0,
        "label_smoothing": 0.0,
        "lr": 1e-3,
        "weight_decay": 0.0,
        "schedule": "cosine",
        "conversion": {},
    }
    return RateClassifier(**(options | changes))


def test_lenet_has_the_published_number_of_units_and_weights():
    net = build_ann((1, 28, 28), 10, LENET, AnnOptions(activation="relu", levels=8, clip=4.0, norm=False, dropout=0.0))
    assert [tuple(net[:k](torch.zeros(1, 1, 28, 28)).shape[1:]) for k in (2, 3, 5, 6)] == [
        (6, 28, 28),
        (6, 14, 14),
        (16, 10, 10),
        (16, 5, 5),
    ]
    dense = [module for module in net if isinstance(module, nn.Linear)]
    assert [(layer.in_features, layer.out_features) for layer in dense] == [(400, 120), (120, 84), (84, 10)]


def test_normalised_layers_have_no_bias_of_their_own_and_the_scores_do():
    net = build_ann((1, 8, 8), 10, [{"conv": 4}, {"dense": 8}], PLAIN)
    assert net.conv1.bias is None and net.dense1.bias is None and net.output.bias is not None


@pytest.mark.parametrize("stride", [1, 2])
def test_a_residual_block_adds_its_input(stride):
    net = build_ann((1, 8, 8), 10, [{"conv": 4}, {"residual": 4, "stride": stride}, {"pool": 0}], PLAIN).eval()
    block = net.residual1
    for norm in (block.second_norm, block.first_norm):
        nn.init.zeros_(norm.weight)  # the branch adds nothing: what is left is the shortcut
    x = net[:3](torch.rand(2, 1, 8, 8))
    shortcut = x if stride == 1 else block.shortcut_norm(block.shortcut(x))
    assert torch.equal(block(x), shortcut.relu())


def test_every_activation_is_of_the_kind_asked_for():
    options = AnnOptions(activation="qcfs", levels=3, clip=2.0, norm=False, dropout=0.0)
    net = build_ann((64,), 10, [{"dense": 8}, {"dense": 8}], options)
    found = [module for module in net if isinstance(module, QCFS)]
    assert [module.levels for module in found] == [3, 3] and found[0].threshold() == 2.0


@pytest.mark.parametrize(
    ("network", "word"),
    [
        ([{"convolution": 4}], "names 0"),
        ([{"conv": 4, "dense": 4}], "names 2"),
        ([{"conv": 4, "dilation": 2}], "dilation"),
        ([{"conv": 0}], "above 0"),
        ([{"conv": "many"}], "above 0"),
        ([{"dense": 4}, {"conv": 4}], "needs images"),
        ([{"pool": 2}] * 4, "does not fit"),
        (["relu"], "names 0"),
    ],
)
def test_a_layer_that_cannot_be_is_named(network, word):
    with pytest.raises(ConfigError) as caught:
        build_ann((1, 8, 8), 10, network, PLAIN)
    assert word in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {"activation": "tanh"},
        {"levels": 0},
        {"clip": 0.0},
        {"dropout": 1.0},
        {"lr": 0.0},
        {"schedule": "steep"},
        {"conversion": {"steps": 0}},
        {"conversion": {"stepps": 8}},
        {"conversion": {"curve": [0, 8]}},
        {"conversion": {"split_layer": 0}},
        {"conversion": {"early_stop": -1.0}},
    ],
)
def test_an_option_out_of_range_is_refused_before_training(change):
    with pytest.raises(ConfigError):
        model(**change)


def test_the_number_of_steps_of_the_conversion_is_on_the_curve():
    assert model(conversion={"steps": 5, "curve": [1, 8]}).conversion.curve == (1, 5, 8)


def test_inputs_of_the_data_modules_become_images():
    net = model().eval()
    batch = torch.rand(3, 1, 64)
    assert torch.equal(net(batch), net.ann(batch.reshape(3, 1, 8, 8)))
