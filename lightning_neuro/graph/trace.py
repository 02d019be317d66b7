"""Watch a torch network run: which layers it is made of, what went in and which spikes came out.

Works for layers that are called once per step and for layers that take whole sequences, in anybody's forward.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lightning_neuro.errors import NirError

# Layers that do nothing in evaluation mode, or only reshape.
TRANSPARENT: tuple[type[nn.Module], ...] = (
    nn.Identity,
    nn.Dropout,
    nn.Dropout1d,
    nn.Dropout2d,
    nn.AlphaDropout,
    nn.Flatten,
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layer:
    """One layer that ran.

    Args:
        name: module path, dots replaced, as a NIR node name.
        module: the layer.
        inputs: first argument, time first: [step, sample, n], or [step, sample, channel, axis...].
        outputs: first result (spikes of a neuron layer), time first.
        membranes: last result where it has the shape of the first, time first; None when not returned.
    """

    name: str
    module: nn.Module
    inputs: Tensor
    outputs: Tensor
    membranes: Tensor | None


@dataclass(slots=True)
class _Calls:
    inputs: list[Tensor] = field(default_factory=list)
    outputs: list[Tensor] = field(default_factory=list)
    membranes: list[Tensor] = field(default_factory=list)


def trace(
    root: nn.Module, run: Callable[[], object], *, linear: Collection[type], neurons: Collection[type]
) -> tuple[Layer, ...]:
    """Run a network in evaluation mode and return its layers in calling order.

    Args:
        root: module that contains the layers.
        run: calls the network on a sample.
        linear: layer types with weights.
        neurons: neuron types; what is inside one is not looked at.

    Raises:
        NirError: a layer of another type took part, or no neuron layer ran.
    """
    calls: dict[str, _Calls] = {}
    known = {n: m for n, m in _outermost(root, (*linear, *neurons)) if _kind(m, (*linear, *neurons))}
    strangers = {n: m for n, m in _outermost(root, (*linear, *neurons)) if n not in known}
    handles = [m.register_forward_hook(_recorder(calls, n)) for n, m in (known | strangers).items()]
    training = root.training
    root.eval()
    try:
        with torch.no_grad():
            run()
    finally:
        root.train(training)
        for handle in handles:
            handle.remove()
    _refuse_strangers({n: type(m).__name__ for n, m in strangers.items() if n in calls})
    return _layers(known, calls, tuple(neurons))


def _kind(module: nn.Module, kinds: tuple[type, ...]) -> bool:
    return any(base in kinds for base in type(module).__mro__)


def _outermost(root: nn.Module, kinds: tuple[type, ...], prefix: str = "") -> list[tuple[str, nn.Module]]:
    """Known modules, not looking inside them, and other modules without children."""
    found = []
    for name, child in root.named_children():
        path = f"{prefix}{name}"
        if _kind(child, kinds) or (not any(child.children()) and not isinstance(child, TRANSPARENT)):
            found.append((path, child))
        else:
            found += _outermost(child, kinds, f"{path}.")
    return found


def _recorder(calls: dict[str, _Calls], name: str) -> Callable[[nn.Module, tuple[object, ...], object], None]:
    def record(module: nn.Module, args: tuple[object, ...], result: object) -> None:
        output = result[0] if isinstance(result, tuple) else result
        if isinstance(args[0], Tensor) and isinstance(output, Tensor):
            call = calls.setdefault(name, _Calls())
            call.inputs.append(args[0].detach().clone())
            call.outputs.append(output.detach().clone())
            last = result[-1] if isinstance(result, tuple) else None
            if isinstance(last, Tensor) and last is not output and last.shape == output.shape:
                call.membranes.append(last.detach().clone())

    return record


def _refuse_strangers(strangers: dict[str, str]) -> None:
    if strangers:
        listed = ", ".join(f"{name} ({kind})" for name, kind in strangers.items())
        raise NirError(
            f"layer(s) that cannot be exported: {listed}",
            where="the traced network",
            why="Linear, Conv1d, Conv2d, AvgPool2d, LPPool2d, BatchNorm, Flatten, Dropout and the neurons of "
            "lightning_neuro, snnTorch and Norse are supported",
            next_command="replace the layer, or move it outside forward()",
        )


def _layers(known: dict[str, nn.Module], calls: dict[str, _Calls], neurons: tuple[type, ...]) -> tuple[Layer, ...]:
    steps = max((len(c.outputs) for c in calls.values()), default=0)
    whole = [calls[n].outputs[0] for n in calls if _kind(known[n], neurons) and calls[n].outputs[0].ndim == 3]
    whole = whole if steps == 1 else []
    if (not whole and steps == 0) or not any(_kind(known[n], neurons) for n in calls):
        raise NirError(
            "no neuron layer ran",
            where="the traced network",
            why="forward() must call LIF layers of lightning_neuro, snnTorch or Norse, registered as submodules",
            next_command="call the network with a sample of the shape it was trained on",
        )
    steps = len(whole[0]) if whole else steps
    return tuple(
        Layer(
            name=name.replace(".", "_"),
            module=known[name],
            inputs=_time_first(call.inputs, steps, name, bool(whole)),
            outputs=_time_first(call.outputs, steps, name, bool(whole)),
            membranes=_time_first(call.membranes, steps, name, bool(whole)) if call.membranes else None,
        )
        for name, call in calls.items()
    )


def _time_first(tensors: list[Tensor], steps: int, name: str, whole: bool) -> Tensor:
    """Bring the values of all calls of a layer to [step, sample, n] or [step, sample, channel, axis...]."""
    if not whole and len(tensors) == steps:
        stacked = torch.stack(tensors)
        return stacked if stacked.ndim >= 3 else stacked.unsqueeze(1)
    if whole and len(tensors) == 1 and tensors[0].ndim == 3:
        only = tensors[0]
        return only if len(only) == steps else only.transpose(0, 1)
    raise NirError(
        f"layer {name!r} ran {len(tensors)} times on tensors of shape {tuple(tensors[0].shape)}, steps are {steps}",
        where="the traced network",
        why="a layer runs once per step on [sample, n], or once on a whole sequence [step, sample, n]",
        next_command="call every layer once per step; convolutions on [sample, channel, height, width]",
    )


def as_raster(values: Tensor) -> NDArray[Any]:
    """[step, sample, ...] tensor to a [sample, step, n] array: uint8 when all values are 0 or 1, else float32."""
    array = values.transpose(0, 1).flatten(2).float().cpu().numpy()
    binary = bool(((array == 0) | (array == 1)).all())
    return np.ascontiguousarray(array, dtype=np.uint8 if binary else np.float32)
