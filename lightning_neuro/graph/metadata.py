"""What NIR cannot say and a network needs: dt, resets, read-out, input coding. Plain values in NIR metadata.

NIR 1.0.8 keeps graph metadata through write and read (strings and numbers), so these travel in the file.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lightning_neuro.errors import NirError
from lightning_neuro.graph.hardware_graph import ReadoutKind, Reset, ResetKind, TimeBase
from lightning_neuro.schemas import NIR_METADATA as SCHEMA
from lightning_neuro.schemas import refuse_newer

MAX_STEPS = 10_000_000  # per sample; more is a damaged number


BiasWindow = tuple[int, int | None]
SCHEDULE = ("v_init", "fires_from", "fires_until", "bias_windows")  # written only where a network has them


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """Semantics beside a NIR graph.

    Args:
        dt_s: step in seconds; 0 in continuous time.
        readout: how the class is read from the output node.
        resets: reset of every neuron node, by node name.
        steps: steps per sample; None when unknown.
        coding: input coding as plain values; empty when unknown.
        assumptions: sentences about everything that was not stated by the source.
        tool: program and version that wrote the graph.
        formats: number formats as JSON (``StoredQuantization.to_json``); empty when not quantised.
        time: stepped, or continuous: first-spike neurons that follow NIR's equations to the letter.
        horizon_s: when a sample is over, in seconds; continuous time only.
        v_init: membrane before the first step of every sample as a share of the threshold, by neuron node; 0 where
            missing.
        fires_from: first step in which a neuron node may spike; 0 where missing.
        fires_until: first step in which it may not again; the end of the sample where missing.
        bias_windows: steps (first, end) in which all biases of a neuron node act, whatever delays they are behind; end
            None is the end of the sample; where missing they act in every step.
    """

    dt_s: float
    readout: ReadoutKind
    resets: Mapping[str, Reset]
    steps: int | None
    coding: Mapping[str, str | int | float] = field(default_factory=dict)
    assumptions: tuple[str, ...] = ()
    tool: str = ""
    formats: str = ""
    time: TimeBase = TimeBase.STEPPED
    horizon_s: float | None = None
    v_init: Mapping[str, float] = field(default_factory=dict)
    fires_from: Mapping[str, int] = field(default_factory=dict)
    fires_until: Mapping[str, int] = field(default_factory=dict)
    bias_windows: Mapping[str, BiasWindow] = field(default_factory=dict)

    def to_dict(self) -> dict[str, str | int | float]:
        """Flat strings and numbers, as HDF5 attributes and checkpoints keep them."""
        resets = {name: f"{reset.kind.value}/{reset.delay}" for name, reset in self.resets.items()}
        continuous = self.time is TimeBase.CONTINUOUS
        return {
            "schema": SCHEMA,
            "tool": self.tool,
            "time": self.time.value,
            **({"horizon": float(self.horizon_s or 0.0)} if continuous else {"dt": float(self.dt_s)}),
            "time_unit": "s",
            "integration": "exact" if continuous else "euler",
            "readout": self.readout.value,
            "resets": json.dumps(resets, sort_keys=True),
            "steps": -1 if self.steps is None else int(self.steps),
            "coding": json.dumps(dict(self.coding), sort_keys=True),
            "assumptions": json.dumps(list(self.assumptions)),
            "formats": self.formats,
            **{key: json.dumps(dict(value), sort_keys=True) for key in SCHEDULE if (value := getattr(self, key))},
        }

    @staticmethod
    def from_dict(values: Mapping[str, object], where: str) -> Metadata:
        """Read what ``to_dict`` wrote.

        Raises:
            NirError: a key is missing or unreadable, or the schema is newer than this program.
        """
        try:
            schema = int(str(values["schema"]))
            refuse_newer(schema, SCHEMA, kind=NirError, what="NIR file", where=where)
            steps = int(str(values["steps"]))
            time = TimeBase(str(values.get("time", TimeBase.STEPPED.value)))
            continuous = time is TimeBase.CONTINUOUS
            length = float(str(values["horizon" if continuous else "dt"]))
            if not (math.isfinite(length) and length > 0) or steps > MAX_STEPS:
                raise ValueError(f"{'horizon' if continuous else 'dt'} {length:g} s, {steps} steps")
            return Metadata(
                dt_s=0.0 if continuous else length,
                time=time,
                horizon_s=length if continuous else None,
                readout=ReadoutKind(str(values["readout"])),
                resets={k: _reset(v) for k, v in json.loads(str(values["resets"])).items()},
                steps=None if steps < 0 else steps,
                coding=json.loads(str(values["coding"])),
                assumptions=tuple(json.loads(str(values["assumptions"]))),
                tool=str(values["tool"]),
                formats=str(values.get("formats", "")),
                v_init={k: _finite(v) for k, v in _table(values, "v_init")},
                fires_from={k: _step(v) for k, v in _table(values, "fires_from")},
                fires_until={k: _step(v) for k, v in _table(values, "fires_until")},
                bias_windows={k: _window(v) for k, v in _table(values, "bias_windows")},
            )
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise NirError(
                f"metadata of the network is damaged: {error!r}",
                where=where,
                why="dt, resets, read-out and coding travel in NIR metadata",
                next_command="export the network again (ExportNIR callback)",
            ) from error


def _reset(text: str) -> Reset:
    kind, delay = text.split("/")
    reset = Reset(kind=ResetKind(kind), delay=int(delay))
    only = {ResetKind.CLAMP: 1, ResetKind.ONCE: 0}.get(reset.kind)
    if reset.delay not in (0, 1) or only not in (None, reset.delay):
        raise ValueError(f"reset {text}")
    return reset


def _table(values: Mapping[str, object], key: str) -> Iterable[tuple[str, Any]]:
    return json.loads(str(values.get(key, "{}"))).items()


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError(f"initial membrane {value}")
    return float(value)


def _step(value: int) -> int:
    if not (isinstance(value, int) and 0 <= value <= MAX_STEPS):
        raise ValueError(f"step {value}")
    return value


def _window(value: tuple[int, int | None]) -> BiasWindow:
    first, end = value
    if end is not None and _step(end) <= first:
        raise ValueError(f"bias from step {first} to {end}")
    return _step(first), end
