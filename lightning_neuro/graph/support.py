"""What NIR import, export and profiles cover, as tables made from the code itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import nir

from lightning_neuro.graph.discretise import NEURONS
from lightning_neuro.graph.hardware_graph import ResetKind
from lightning_neuro.graph.profiles import PROFILES, Profile
from lightning_neuro.graph.signals import NODES

START, END = "<!-- generated: support -->", "<!-- end -->"

_MEANINGS: dict[type[nir.NIRNode], str] = {
    nir.Affine: "weights and bias",
    nir.Linear: "weights",
    nir.Scale: "folded into the weights beside it; one factor per channel keeps a kernel shared",
    nir.Conv1d: "convolution with shared weights: stride, padding, dilation, groups",
    nir.Conv2d: "convolution with shared weights: stride, padding, dilation, groups",
    nir.SumPool2d: "exact sum of spikes",
    nir.AvgPool2d: "sum of spikes; the divisor goes into the weights",
    nir.Flatten: "shape alone",
    nir.Delay: "whole steps of dt, each line its own",
    nir.Input: "one; of inner graphs, passed through",
    nir.Output: "one; of inner graphs, passed through",
}

_RESETS = {ResetKind.ZERO: "to v_reset, at once", ResetKind.NONE: "none"}

_KINDS = {
    "lif": "LIF",
    "if": "IF",
    "cuba": "CubaLIF",
    "li": "LI",
    "cuba_li": "CubaLI",
}


def tables() -> str:
    """All tables, in Markdown."""
    parts = ["### Import", _imports(), "### Export from torch", _exports(), "### Profiles", _profiles()]
    return "\n\n".join(parts)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table.

    >>> print(table(("a", "b"), [("1", "2")]))
    | a | b |
    |---|---|
    | 1 | 2 |
    """
    lines = ["| " + " | ".join(row) + " |" for row in (head, *rows)]
    return "\n".join([lines[0], "|" + "---|" * len(head), *lines[1:]])


def _imports() -> str:
    rows = [(kind.__name__, _MEANINGS[kind], "-") for kind in NODES]
    rows += [(kind.__name__, entry.means, _RESETS[entry.reset.kind]) for kind, entry in NEURONS.items()]
    rows.append(("NIRGraph", "flattened; loops get one step of delay at the edge that closes them", "-"))
    return table(("NIR node", "becomes", "reset without metadata"), rows)


def _exports() -> str:
    from lightning_neuro.graph.torch_layers import LINEAR, NORMALISATIONS  # imported late: torch takes seconds
    from lightning_neuro.graph.torch_to_nir import NEURONS as LAYERS
    from lightning_neuro.graph.trace import TRANSPARENT

    rows = [(_library(kind), kind.__name__, "neurons") for kind in LAYERS]
    rows += [(_library(kind), kind.__name__, "node with weights or windows") for kind in LINEAR]
    rows += [(_library(kind), kind.__name__, "folded into the layer before") for kind in NORMALISATIONS]
    rows += [(_library(kind), kind.__name__, "dropped") for kind in TRANSPARENT]
    return table(("library", "layer", "in the file"), sorted(rows))


def _library(kind: type) -> str:
    return kind.__module__.split(".")[0]


def _profiles() -> str:
    rows = [_profile(name, profile) for name, profile in PROFILES.items()]
    head = ("profile=", "reader", "neurons", "resets", "loops", "bias", "pooling", "Conv2d", "how to read the file")
    return table(head, rows)


def _profile(name: str, profile: Profile) -> tuple[str, ...]:
    yes = {True: "yes", False: "refused"}
    resets = sorted(f"{kind.value}/{delay}" for kind, delay in profile.resets)
    return (
        name,
        profile.reader,
        ", ".join(_KINDS[kind] for kind in profile.neurons),
        ", ".join(resets),
        yes[profile.loops],
        yes[profile.biases],
        "refused" if profile.pooling is None else profile.pooling.__name__,
        yes[profile.convolution],
        profile.notes,
    )


def page(text: str) -> str:
    """A documentation page with the tables between its markers renewed."""
    before, rest = text.split(START)
    return f"{before}{START}\n\n{tables()}\n\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    print(tables())
