"""Builds a convolutional or fully connected ANN from a list of plain layer descriptions."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lightning_neuro.convert.qcfs import QCFS
from lightning_neuro.errors import ConfigError
from lightning_neuro.neurons.lif import check_choice

ACTIVATIONS: dict[str, Callable[[AnnOptions], nn.Module]] = {
    "relu": lambda options: nn.ReLU(),
    "qcfs": lambda options: QCFS(levels=options.levels, initial=options.clip),
}

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnOptions:
    """What all layers have in common.

    Args:
        activation: "relu" or "qcfs".
        levels: L of QCFS, the number of steps between 0 and its clipping level.
        clip: clipping level of QCFS before training; it is learned.
        norm: batch normalisation between weights and activation.
        dropout: share of activations dropped in training in front of dense layers, 0..1.

    Raises:
        ConfigError: an unknown activation, or a number out of range.
    """

    activation: str
    levels: int
    clip: float
    norm: bool
    dropout: float

    def __post_init__(self) -> None:
        check_choice("activation", self.activation, tuple(ACTIVATIONS))
        whole = isinstance(self.levels, int) and self.levels >= 1
        _require_option(whole, "levels", self.levels, "a whole number above 0", "8")
        _require_option(self.clip > 0, "clip", self.clip, "> 0", "4.0")
        _require_option(0 <= self.dropout < 1, "dropout", self.dropout, "in 0..1", "0.0")

    def neuron(self) -> nn.Module:
        """A new activation."""
        return ACTIVATIONS[self.activation](self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conv:
    """A convolution: weights, batch normalisation, activation."""

    conv: int
    kernel: int = 3
    stride: int = 1
    padding: int | None = None  # None keeps the size of the image at stride 1

    def add(self, chain: _Chain) -> None:
        """Append it to a network."""
        channels = chain.image("conv")[0]
        number = chain.next("conv")
        padding = self.kernel // 2 if self.padding is None else self.padding
        bias = not chain.options.norm
        layer = nn.Conv2d(channels, self.conv, self.kernel, self.stride, padding, bias=bias)
        chain.append(f"conv{number}", layer)
        if chain.options.norm:
            chain.append(f"conv{number}_norm", nn.BatchNorm2d(self.conv))
        chain.append(f"conv{number}_neurons", chain.options.neuron())


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Average pooling; 0 averages over the whole image."""

    pool: int

    def add(self, chain: _Chain) -> None:
        """Append it to a network."""
        _, height, width = chain.image("pool")
        _require(self.pool > 0 or height == width, f"pool: 0 over an image of {height} x {width}", "{pool: 2}")
        chain.append(f"pool{chain.next('pool')}", nn.AvgPool2d(self.pool or height))


@dataclass(frozen=True, slots=True, kw_only=True)
class Dense:
    """A fully connected layer: weights, batch normalisation, activation."""

    dense: int

    def add(self, chain: _Chain) -> None:
        """Append it to a network."""
        inputs = chain.flat()
        number = chain.next("dense")
        if chain.options.dropout:
            chain.append(f"dense{number}_dropout", nn.Dropout(chain.options.dropout))
        chain.append(f"dense{number}", nn.Linear(inputs, self.dense, bias=not chain.options.norm))
        if chain.options.norm:
            chain.append(f"dense{number}_norm", nn.BatchNorm1d(self.dense))
        chain.append(f"dense{number}_neurons", chain.options.neuron())


@dataclass(frozen=True, slots=True, kw_only=True)
class Residual:
    """Two convolutions beside a shortcut, after He et al. 2016 (arXiv:1512.03385)."""

    residual: int
    kernel: int = 3
    stride: int = 1

    def add(self, chain: _Chain) -> None:
        """Append it to a network."""
        channels = chain.image("residual")[0]
        chain.append(f"residual{chain.next('residual')}", ResidualBlock(channels, self, chain.options))


LayerSpec = Conv | Pool | Dense | Residual
KINDS: dict[str, Callable[..., LayerSpec]] = {"conv": Conv, "pool": Pool, "dense": Dense, "residual": Residual}


class ResidualBlock(nn.Module):
    """``neurons(second(neurons(first(x))) + shortcut(x))``.

    Args:
        channels: of the input.
        spec: channels, kernel and stride of the block.
        options: activation and normalisation.
    """

    def __init__(self, channels: int, spec: Residual, options: AnnOptions) -> None:
        super().__init__()
        out, padding, bias = spec.residual, spec.kernel // 2, not options.norm
        norm = nn.BatchNorm2d if options.norm else nn.Identity
        self.first = nn.Conv2d(channels, out, spec.kernel, spec.stride, padding, bias=bias)
        self.first_norm = norm(out)
        self.first_neurons = options.neuron()
        self.second = nn.Conv2d(out, out, spec.kernel, 1, padding, bias=bias)
        self.second_norm = norm(out)
        self.neurons = options.neuron()
        same = spec.stride == 1 and channels == out
        self.shortcut = nn.Identity() if same else nn.Conv2d(channels, out, 1, spec.stride, bias=bias)
        self.shortcut_norm = nn.Identity() if same else norm(out)

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's activations [batch, channel, row, column]."""
        inner = self.first_neurons(self.first_norm(self.first(x)))
        return self.neurons(self.second_norm(self.second(inner)) + self.shortcut_norm(self.shortcut(x)))


def build_ann(
    input_shape: Sequence[int], classes: int, network: Sequence[Mapping[str, Any]], options: AnnOptions
) -> nn.Sequential:
    """Return an ANN from images to one score per class.

    Args:
        input_shape: (channels, rows, columns), or (inputs,) for fully connected networks.
        classes: how many; their dense layer without activation is appended to ``network``.
        network: layers as mappings: ``{conv: channels, kernel: 3, stride: 1, padding: null}``, ``{pool: size}``,
            ``{dense: units}``, ``{residual: channels, kernel: 3, stride: 1}``.
        options: what all layers have in common.

    Raises:
        ConfigError: an unknown layer, or one that does not fit the layer before it.
    """
    chain = _Chain(tuple(input_shape), options)
    for position, values in enumerate(network):
        layer_of(values, position).add(chain)
    inputs = chain.flat()
    chain.append("output", nn.Linear(inputs, classes))
    return nn.Sequential(chain.modules)


def layer_of(values: Mapping[str, Any], position: int) -> LayerSpec:
    """Return the layer that a mapping describes.

    Raises:
        ConfigError: none of the kinds, several of them, or an option that the kind does not have.
    """
    kinds = [name for name in KINDS if name in values] if isinstance(values, Mapping) else []
    where = f"model.network[{position}]"
    _require(len(kinds) == 1, f"{where}={values} names {len(kinds)} of the layers {', '.join(KINDS)}", "{conv: 16}")
    try:
        layer = KINDS[kinds[0]](**values)
    except TypeError as error:
        reason = str(error).split(") ")[-1]
        raise ConfigError(
            f"{where}={dict(values)}: {reason}",
            where="model.network",
            why="layers are conv (kernel, stride, padding), pool, dense, residual (kernel, stride)",
            next_command="model.network='[{conv: 16}, {pool: 2}, {dense: 64}]'",
        ) from error
    least = {"padding": 0, "pool": 0}
    given = {name: value for name, value in values.items() if not (name == "padding" and value is None)}
    good = all(isinstance(value, int) and value >= least.get(name, 1) for name, value in given.items())
    _require(good, f"{where}={dict(values)} needs whole numbers above 0", "{conv: 16, kernel: 3}")
    return layer


class _Chain:
    """Layers so far and the shape of what leaves them."""

    def __init__(self, input_shape: Shape, options: AnnOptions) -> None:
        self.shape, self.options = input_shape, options
        self.modules: OrderedDict[str, nn.Module] = OrderedDict()
        self._counts: dict[str, int] = {}

    def next(self, kind: str) -> int:
        """Number of the next layer of a kind, from 1."""
        self._counts[kind] = self._counts.get(kind, 0) + 1
        return self._counts[kind]

    def image(self, kind: str) -> Shape:
        """The image that reaches the next layer (channels, rows, columns)."""
        if len(self.shape) != 3:
            raise ConfigError(
                f"a {kind} layer needs images, here arrive {list(self.shape)}",
                where="model.network",
                why="dense layers and data without rows and columns have none",
                next_command="move conv, residual and pool before dense layers, or model=rate_mlp",
            )
        return self.shape

    def flat(self) -> int:
        """Flatten what arrives; returns its size."""
        if len(self.shape) > 1:
            self.append("flatten", nn.Flatten())
        return math.prod(self.shape)

    def append(self, name: str, module: nn.Module) -> None:
        """Add a layer; its output shape is tried out."""
        training = module.training
        try:
            with torch.no_grad():
                self.shape = tuple(module.eval()(torch.zeros(1, *self.shape)).shape[1:])
        except RuntimeError as error:
            raise ConfigError(
                f"layer {name} does not fit {list(self.shape)}",
                where="model.network",
                why=str(error).split("\n")[0],
                next_command="use a smaller kernel, less pooling, or larger images",
            ) from error
        self.modules[name] = module.train(training)


def _require(holds: bool, what: str, example: str) -> None:
    if not holds:
        raise ConfigError(
            what,
            where="model.network",
            why="a layer is described by one of its kinds and whole numbers",
            next_command=f"model.network='[{example}, {{dense: 64}}]'",
        )


def _require_option(holds: bool, name: str, value: object, needed: str, example: str) -> None:
    if not holds:
        raise ConfigError(
            f"{name}={value} must be {needed}",
            where=f"model.{name}",
            why="it makes no sense otherwise",
            next_command=f"model.{name}={example}",
        )
