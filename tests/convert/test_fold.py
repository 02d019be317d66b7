from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lightning_neuro.convert import fold
from lightning_neuro.convert.folded import FoldedNetwork, Rectified, activations
from lightning_neuro.convert.stages import Kernel, Matrix, Scale
from lightning_neuro.errors import GraphError
from tests.convert.networks import cnn, images, mlp, residual, settled, vectors


def scores(folded: FoldedNetwork, x: Tensor) -> Tensor:
    return activations(folded, x.double())[folded.layers[-1].name]


def wrapped(forward, **layers: nn.Module) -> nn.Module:
    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            for name, layer in layers.items():
                setattr(self, name, layer)

        def forward(self, x):
            return forward(self, x)

    return Network().eval()


@pytest.mark.parametrize(("ann", "x"), [(mlp(), vectors(9)), (cnn(), images(9)), (residual(), images(9))])
def test_the_folded_network_computes_what_the_ann_computes(ann: nn.Module, x: Tensor) -> None:
    folded = fold(ann.eval(), x)
    wanted = ann.double()(x.double())
    got = scores(folded, x)
    if not isinstance(ann[-1] if isinstance(ann, nn.Sequential) else None, nn.Linear):
        wanted, got = (wanted if wanted.max() < 0 else wanted.log()), got.log_softmax(1)
    torch.testing.assert_close(got, wanted, atol=1e-5, rtol=1e-5)


def test_normalisation_is_inside_the_weights() -> None:
    kinds = {type(stage) for layer in fold(cnn(), images(4)).layers for path in layer.paths for stage in path.stages}
    assert Scale not in kinds and {Kernel, Matrix} <= kinds


def test_the_network_itself_is_not_changed() -> None:
    ann = cnn().train()
    before = copy.deepcopy(ann.state_dict())
    fold(ann, images(4))
    assert ann.training and all(torch.equal(before[k], v) for k, v in ann.state_dict().items())


@pytest.mark.parametrize(
    "activation",
    [
        *(nn.ReLU(), nn.ReLU(inplace=True), F.relu, torch.relu, lambda x: x.relu(), lambda x: F.relu(x, inplace=True)),
        *(lambda x: x.clamp(min=0), lambda x: torch.clamp(x, 0), lambda x: torch.clamp(x, min=0)),
    ],
)
def test_every_spelling_of_relu_becomes_a_layer_of_neurons(activation) -> None:
    layers = {"a": nn.Linear(12, 5), "b": nn.Linear(5, 3)}
    extra = {"h": activation} if isinstance(activation, nn.Module) else {}
    ann = wrapped(lambda n, x: n.b((n.h if extra else activation)(n.a(x))), **layers, **extra)
    folded = fold(ann, vectors(4))
    assert [layer.name for layer in folded.spiking] == ["a"] and isinstance(folded.layers[0].activation, Rectified)


def test_relu6_is_clipped_at_six() -> None:
    ann = nn.Sequential(nn.Linear(12, 5), nn.ReLU6(), nn.Linear(5, 3))
    assert fold(ann, 100 * vectors(4)).layers[0].activation.clip == 6


def test_a_module_used_twice_is_two_layers() -> None:
    assert [layer.name for layer in fold(residual(), images(4)).layers] == ["stem", "twice", "twice_2", "last"]


def test_a_sum_of_branches_is_two_paths_into_one_layer() -> None:
    assert [path.source for path in fold(residual(), images(4)).layer("twice").paths] == ["stem", "stem"]


@pytest.mark.parametrize("padding", [0, 1])
def test_normalisation_before_a_convolution_is_exact_at_the_border_too(padding: int) -> None:
    ann = nn.Sequential(nn.BatchNorm2d(1), nn.Conv2d(1, 2, 3, padding=padding), nn.ReLU(), nn.Flatten())
    ann = settled(ann, (1, 8, 8))
    x = images(5)
    torch.testing.assert_close(scores(fold(ann, x), x), ann.double()(x.double()), atol=1e-5, rtol=1e-5)


def test_everything_that_has_no_spiking_form_is_named_at_once_with_its_remedy() -> None:
    ann = nn.Sequential(nn.Conv2d(1, 2, 3), nn.MaxPool2d(2), nn.Sigmoid(), nn.Flatten(), nn.Linear(18, 3), nn.GELU())
    with pytest.raises(GraphError) as refused:
        fold(ann, images(4))
    message = str(refused.value)
    assert message.startswith("3 operations")
    assert all(word in message for word in ("1 (MaxPool2d)", "2 (Sigmoid)", "5 (GELU)", "AvgPool2d, or stride 2"))


@pytest.mark.parametrize(
    ("forward", "named"),
    [
        (lambda n, x: n.a(F.max_pool1d(x[:, None], 1)[:, 0]), "max_pool1d"),
        (lambda n, x: n.a(torch.tanh(x)), "tanh"),
        (lambda n, x: n.a(x) * n.a(x), "mul"),
        (lambda n, x: n.a(x.softmax(1)), "softmax"),
        (lambda n, x: n.a(torch.cat([x[:, :6], x[:, 6:]], 1)), "cat"),
        (lambda n, x: n.a(x).clamp(min=-1), "clamp"),
    ],
)
def test_functions_are_refused_by_name(forward, named: str) -> None:
    with pytest.raises(GraphError, match=named):
        fold(wrapped(forward, a=nn.Linear(12, 4)), vectors(4))


def test_a_forward_that_depends_on_values_is_refused_in_words() -> None:
    with pytest.raises(GraphError, match="could not be traced"):
        fold(wrapped(lambda n, x: n.a(x) if x.sum() > 0 else x, a=nn.Linear(12, 4)), vectors(4))


def test_a_trace_that_missed_something_is_refused() -> None:
    ann = wrapped(lambda n, x: n.a(x) + n.calls(), a=nn.Linear(12, 4))
    ann.__dict__["calls"] = iter(range(100)).__next__
    with pytest.raises(GraphError, match="differs"):
        fold(ann, vectors(4))


def test_relu_is_left_out_only_where_nothing_can_be_negative() -> None:
    for forward, layers in (
        (lambda n, x: n.a(torch.relu(x - 0.5)), ["relu", "a"]),
        (lambda n, x: n.b(torch.relu(-1 * torch.relu(n.a(x)) + 0.1)), ["a", "relu_1", "b"]),
        (lambda n, x: n.b(torch.relu(torch.relu(n.a(x)))), ["a", "b"]),
    ):
        ann = wrapped(forward, a=nn.Linear(12, 12), b=nn.Linear(12, 4))
        folded = fold(ann, vectors(4))
        assert [layer.name for layer in folded.layers] == layers
        torch.testing.assert_close(scores(folded, vectors(9)).float(), ann(vectors(9)), atol=1e-5, rtol=1e-5)
