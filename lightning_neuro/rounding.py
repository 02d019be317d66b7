"""The integers that a deployment takes: those in the file where they suit what the user asks, else rounded now."""

from __future__ import annotations

from pathlib import Path

from lightning_neuro.checkpoint import NetworkRecord
from lightning_neuro.errors import ConfigError, GraphError
from lightning_neuro.graph.calibrate import quantize_network
from lightning_neuro.graph.hardware_graph import HardwareGraph, TimeBase
from lightning_neuro.graph.quantize import default_spec
from lightning_neuro.graph.stored import StoredQuantization
from lightning_neuro.graph.widths import QuantizeRequest, QuantizeSpec, Widths, in_words, widths_of
from lightning_neuro.targets.base import Target


def rounded_for(
    target: Target,
    graph: HardwareGraph,
    record: NetworkRecord,
    stored: StoredQuantization | None,
    request: QuantizeRequest,
    asked: Widths,
) -> tuple[HardwareGraph, tuple[str, ...]]:
    """The network with the weights that a target's hardware holds, and sentences about them.

    Args:
        target: hardware; it may round weights its own way.
        graph: network in real numbers.
        record: where it came from.
        stored: integers in the file.
        request: what the user named.
        asked: widths (``widths``).

    Raises:
        GraphError: the stored integers do not belong to the stored weights.
    """
    named = request.weight_bits is not None or request.recommended
    own = target.own_rounding(graph, quantized_graph(graph, record, stored, asked)[0] if named else None)
    return own or quantized_graph(graph, record, stored, asked)


def stored_integers(record: NetworkRecord, request: QuantizeRequest, path: Path) -> StoredQuantization | None:
    """The integers in the file that count: those of training, or with ``quantize=recommended`` those of a search.

    Raises:
        ConfigError: a recommendation is asked for and the file holds none.
    """
    if not request.recommended:
        return record.quantized
    if record.recommended is None:
        raise ConfigError(
            "there are no recommended widths in this file",
            where=str(path),
            why="a search finds them and keeps them in the checkpoint",
            next_command=f"lightning-neuro search {path}",
        )
    return record.recommended


def widths(
    graph: HardwareGraph, stored: StoredQuantization | None, request: QuantizeRequest, default: QuantizeSpec
) -> Widths:
    """Widths of the integers: what the user names, then what the file holds, then what such networks need.

    Args:
        graph: network in real numbers.
        stored: integers in the file.
        request: widths that the user named.
        default: the target's, for networks that advance in steps.
    """
    base = stored.widths if stored is not None else default_spec(graph, default)
    return request.over(base, [p.name for p in graph.populations])


def quantized_graph(
    graph: HardwareGraph, record: NetworkRecord, stored: StoredQuantization | None, asked: Widths
) -> tuple[HardwareGraph, tuple[str, ...]]:
    """The integer graph: the checkpoint's own integers where the widths agree, else rounded now, saying so.

    Args:
        graph: network in real numbers.
        record: where it came from.
        stored: integers in the file.
        asked: widths.

    Raises:
        GraphError: the stored integers do not belong to the stored weights.
    """
    if stored is not None and (asked == stored.widths or _same_integers(graph, asked, stored.widths)):
        try:
            return stored.apply(graph), ()
        except (ValueError, KeyError) as error:
            bits = min(widths_of(asked, p.name).weight_bits for p in graph.populations)
            raise GraphError(
                f"the checkpoint's integers and its weights contradict each other: {error}",
                where="quantised network in the checkpoint",
                why="the file was changed after it was quantised",
                next_command=f"quantize.weight_bits={bits - 1 or 2}   (rounds the weights anew)",
            ) from error
    quantized, _ = quantize_network(graph, asked, record.calibration)
    return quantized, (f"weights were rounded at deployment, not in training: {in_words(asked)}",)


def _same_integers(graph: HardwareGraph, asked: Widths, stored: Widths) -> bool:
    """Of a network in continuous time only weights are rounded."""
    names = [p.name for p in graph.populations]
    same = all(widths_of(asked, name).weight_bits == widths_of(stored, name).weight_bits for name in names)
    return graph.time is TimeBase.CONTINUOUS and same
