"""Read anybody's torch network: traced with ``torch.fx``, every operation folded into layers or refused by name."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.fx.passes.shape_prop import ShapeProp

from lightning_neuro.convert.call import Call, Refused, Result
from lightning_neuro.convert.expression import Expression
from lightning_neuro.convert.folded import INPUT, Activation, FoldedNetwork, Layer, Path, activations
from lightning_neuro.convert.operations import FUNCTIONS, METHODS, MODULES
from lightning_neuro.convert.qcfs import QCFS
from lightning_neuro.convert.stages import Shape, simplified
from lightning_neuro.errors import GraphError, first_line

_AGREEMENT = 1e-3  # largest difference to the traced network, as a share of its largest score


class _Tracer(fx.Tracer):
    """Layers of torch and QCFS stay whole; everything else is looked into."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, QCFS) or super().is_leaf_module(m, module_qualified_name)


def fold(ann: nn.Module, sample: Tensor) -> FoldedNetwork:
    """Bring a trained network into layers of activations; the network itself is not changed.

    Args:
        ann: Sequential or with a forward of its own; ReLU, ReLU6 or QCFS; Linear, Conv2d, AvgPool2d, BatchNorm,
            sums of branches. Dropout and a softmax behind the last layer are left out.
        sample: a batch of inputs [sample, ...], two or more.

    Raises:
        GraphError: an operation has no spiking form (all of them are listed), or the network cannot be traced.
    """
    network = copy.deepcopy(ann).cpu().eval()
    sample = sample.detach().cpu().float()
    traced = _traced(network, sample)
    reader = _Reader(modules=dict(traced.named_modules()), input_shape=tuple(sample.shape[1:]))
    for node in traced.graph.nodes:
        reader.read(node)
    if reader.refusals:
        raise _refusal(reader.refusals)
    folded = FoldedNetwork(input_shape=tuple(sample.shape[1:]), layers=tuple(reader.layers))
    _check_same(network, folded, sample)
    return folded


def _traced(network: nn.Module, sample: Tensor) -> fx.GraphModule:
    try:
        graph = _Tracer().trace(network)
        module = fx.GraphModule(network, graph)
        with torch.no_grad():
            ShapeProp(module).propagate(sample)
    except Exception as error:  # whatever a user's forward raises
        raise GraphError(
            "the network could not be traced",
            where=type(network).__name__,
            why=f"{first_line(error)}; torch.fx follows one input through layers and sums, "
            "without branches that depend on values",
            next_command="hand over the module that maps one batch of inputs to class scores",
        ) from error
    return module


@dataclass(slots=True)
class _Reader:
    """Walks over the nodes of a traced network and collects layers and refusals."""

    modules: dict[str, nn.Module]
    input_shape: Shape
    values: dict[fx.Node, Expression] = field(default_factory=dict)
    layers: list[Layer] = field(default_factory=list)
    refusals: list[tuple[str, Refused]] = field(default_factory=list)

    def read(self, node: fx.Node) -> None:
        """Take one node."""
        if node.op == "output":
            self._finish(node)
            return
        shape = _shape(node)
        if node.op == "placeholder":
            if shape is not None and not self.values:
                self.values[node] = Expression.source(INPUT, shape)
        elif shape is not None and self._arguments(node):
            self.values[node] = self._result(node, shape)
        elif shape is not None and node.op == "get_attr" and any(_shape(user) is not None for user in node.users):
            self._refuse(node, Refused("a tensor of the module used directly", "only weights of layers are followed",
                                       "use nn.Linear or nn.Conv2d for it"))  # fmt: skip

    def _arguments(self, node: fx.Node) -> tuple[Expression, ...]:
        return tuple(self.values[a] for a in node.all_input_nodes if a in self.values)

    def _result(self, node: fx.Node, shape: tuple[int, ...]) -> Expression:
        label = self._label(node)
        try:
            result = self._apply(node, self._call(node, label, shape))
        except Refused as refusal:
            self._refuse(node, refusal)
            return Expression.source(INPUT, shape)  # stands in, so that all refusals are found at once
        if isinstance(result, Expression):
            return result
        return self._activated(node, result, self._arguments(node)[0])

    def _call(self, node: fx.Node, label: str, shape: tuple[int, ...]) -> Call:
        expressions, numbers = [], []
        for argument in node.args:
            if isinstance(argument, fx.Node) and argument in self.values:
                expressions.append(self.values[argument])
            else:
                numbers.append(argument)
        named = {k: v for k, v in node.kwargs.items() if not isinstance(v, fx.Node) and k != "inplace"}
        expressions += [self.values[v] for v in node.kwargs.values() if isinstance(v, fx.Node) and v in self.values]
        last = all(user.op == "output" for user in node.users)
        return Call(
            label=label,
            expressions=tuple(expressions),
            numbers=tuple(numbers),
            named=named,
            shape=shape,
            last=last,
        )

    def _apply(self, node: fx.Node, call: Call) -> Result:
        if node.op == "call_module":
            module = self.modules[str(node.target)]
            kind = next((base for base in type(module).__mro__ if base in MODULES), None)
            if kind is not None:
                return MODULES[kind](module, call)
        else:
            table: dict[Any, Any] = METHODS if node.op == "call_method" else FUNCTIONS
            if node.target in table:
                return table[node.target](call)
        raise Refused(
            _operation(node, self.modules),
            "it has no spiking form here",
            "ReLU, ReLU6 or QCFS as activation; Linear, Conv2d, AvgPool2d, BatchNorm, sums of branches",
        )

    def _activated(self, node: fx.Node, activation: Activation, before: Expression) -> Expression:
        name = self._free(before.label or self._label(node))
        self._add(name, before, activation)
        return Expression.source(name, before.shape)

    def _add(self, name: str, before: Expression, activation: Activation | None) -> None:
        shapes = {INPUT: self.input_shape} | {layer.name: layer.shape for layer in self.layers}
        paths = tuple(
            Path(source=p.source, stages=simplified(p.stages, shapes[p.source]))
            for p in (before.paths if not self.refusals else ())
        )
        self.layers.append(Layer(name=name, shape=before.shape, paths=paths, bias=before.bias, activation=activation))

    def _finish(self, node: fx.Node) -> None:
        result = node.args[0]
        if not isinstance(result, fx.Node) or result not in self.values:
            self._refuse(node, Refused("more than one result", "one tensor of class scores is read out",
                                       "return the scores alone"))  # fmt: skip
            return
        scores = self.values[result]
        self._add(self._free(scores.label or "readout"), scores, None)

    def _label(self, node: fx.Node) -> str:
        text = str(node.target) if node.op == "call_module" else node.name
        label = text.replace(".", "_")
        return f"layer{label}" if label[:1].isdigit() else label

    def _free(self, name: str) -> str:
        """The name, numbered where it is taken: a module may be used twice."""
        taken = {layer.name for layer in self.layers} | {INPUT}
        candidates = (name, *(f"{name}_{k}" for k in range(2, len(taken) + 3)))
        return next(candidate for candidate in candidates if candidate not in taken)

    def _refuse(self, node: fx.Node, refusal: Refused) -> None:
        where = str(node.target) if node.op == "call_module" else node.name
        self.refusals.append((f"{where} ({_operation(node, self.modules)})", refusal))


def _shape(node: fx.Node) -> tuple[int, ...] | None:
    """Shape of a node's tensor without the batch; None where it is no tensor."""
    found = node.meta.get("tensor_meta")
    return tuple(found.shape[1:]) if found is not None and hasattr(found, "shape") else None


def _operation(node: fx.Node, modules: dict[str, nn.Module]) -> str:
    if node.op == "call_module":
        return type(modules[str(node.target)]).__name__
    return str(getattr(node.target, "__name__", node.target))


def _refusal(refusals: list[tuple[str, Refused]]) -> GraphError:
    rows = [("layer", "what", "remedy"), *((where, r.what, r.remedy) for where, r in refusals)]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    table = "\n".join(f"  {row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]}" for row in rows)
    count = "one operation" if len(refusals) == 1 else f"{len(refusals)} operations"
    return GraphError(
        f"{count} of this network cannot be converted to spikes\n{table}",
        where=", ".join(where for where, _ in refusals),
        why="; ".join(dict.fromkeys(refusal.why for _, refusal in refusals)),
        next_command=refusals[0][1].remedy,
    )


def _check_same(network: nn.Module, folded: FoldedNetwork, sample: Tensor) -> None:
    """The folded network must compute what the network computed: the trace may have missed something."""
    with torch.no_grad():
        wanted = network(sample).double()
        got = activations(folded, sample.double())[folded.layers[-1].name]
    if wanted.shape != got.shape or int(torch.isfinite(wanted).sum()) != wanted.numel():
        difference = float("inf")
    else:
        # A softmax was left out: compare what is left of the scores once their common offset is gone.
        wanted = wanted.clamp(min=1e-30).log() if _is_softmax(wanted) else wanted
        centred = [x - x.mean(dim=1, keepdim=True) for x in (wanted, got)] if _is_log_softmax(wanted) else [wanted, got]
        difference = float((centred[0] - centred[1]).abs().max() / centred[0].abs().max().clamp(min=1e-6))
    if difference > _AGREEMENT:
        raise GraphError(
            f"the folded network differs from the traced one by {difference:.2g} of its largest score",
            where=type(network).__name__,
            why="its forward does something that depends on values or on the batch, which a trace cannot see",
            next_command="hand over a module whose forward is the same for every input",
        )


def _is_softmax(scores: Tensor) -> bool:
    return bool((scores >= 0).all()) and bool(((scores.sum(dim=1) - 1).abs() < 1e-3).all())


def _is_log_softmax(scores: Tensor) -> bool:
    return bool((scores <= 0).all()) and bool(((scores.exp().sum(dim=1) - 1).abs() < 1e-3).all())
