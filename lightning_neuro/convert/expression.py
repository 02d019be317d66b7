"""What flows along an edge of a traced network: a sum of linear paths from activations, and a constant."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch
from torch import Tensor

from lightning_neuro.convert.folded import INPUT, Path
from lightning_neuro.convert.stages import Average, Flatten, Shape, Stage, apply, by_channel, scale_output, shape_after


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Expression:
    """``sum of paths + bias``, float64.

    Args:
        shape: of one sample, channels first.
        paths: linear ways from activations to here.
        bias: full shape.
        label: name of the last layer of weights on the way; empty where there is none yet.
    """

    shape: Shape
    paths: tuple[Path, ...]
    bias: Tensor
    label: str

    @staticmethod
    def source(name: str, shape: Shape) -> Expression:
        """The values of an activation or of the input."""
        return Expression(
            shape=shape,
            paths=(Path(source=name, stages=()),),
            bias=torch.zeros(shape, dtype=torch.float64),
            label="",
        )

    @property
    def is_activation(self) -> bool:
        """Whether nothing but pooling and flattening happened since one activation, so that nothing is negative."""
        one, *others = self.paths
        pooled = all(isinstance(stage, Average | Flatten) for stage in one.stages)
        return not others and one.source != INPUT and pooled and not bool(self.bias.any())

    def through(self, stage: Stage, label: str) -> Expression:
        """The sum behind one more linear map, named ``label`` where it has weights."""
        paths = tuple(Path(source=p.source, stages=(*p.stages, stage)) for p in self.paths)
        return Expression(
            shape=shape_after((stage,), self.shape),
            paths=paths,
            bias=apply((stage,), self.bias[None])[0],
            label=label or self.label,
        )

    def plus(self, constant: Tensor) -> Expression:
        """A constant for each channel added."""
        return dataclasses.replace(self, bias=self.bias + by_channel(constant.double(), len(self.shape)))

    def scaled(self, factor: Tensor, label: str) -> Expression:
        """Every channel multiplied by its factor, inside the weights before it."""
        factor = factor.double()
        return Expression(
            shape=self.shape,
            paths=tuple(Path(source=p.source, stages=scale_output(p.stages, factor)) for p in self.paths),
            bias=self.bias * by_channel(factor, len(self.shape)),
            label=self.label or label,
        )

    def added(self, other: Expression) -> Expression:
        """The sum of two: currents of both meet in the next neurons."""
        return Expression(
            shape=self.shape,
            paths=(*self.paths, *other.paths),
            bias=self.bias + other.bias,
            label=self.label or other.label,
        )
