"""Strict stand-in for PyNN on BrainScaleS-2: what the artefact's script uses, refused where the real one refuses.

Times in ms of the chip, time constants in us, potentials in LSB of the CADC. No chip is behind it: spikes are those of
the emulator of virtual chips.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from lightning_neuro.targets.brainscales.fake_stack import rules
from lightning_neuro.targets.brainscales.fake_stack.rules import Refused

from . import state
from .parts import (
    CalibHXNeuronCuba,
    FromListConnector,
    HXNeuron,
    Population,
    Projection,
    SpikeSourceArray,
    StaticSynapse,
)
from .state import Experiment

__all__ = [
    "FromListConnector", "Population", "Projection", "RunCommand", "cells", "end", "errors", "get_backend_statistics",
    "helper", "reset", "run", "setup", "synapses",
]  # fmt: skip


class RunCommand(enum.Enum):
    """What ``run`` does."""

    PREPARE = enum.auto()
    APPEND = enum.auto()
    EXECUTE = enum.auto()


def setup(*, neuronPermutation: Sequence[int] = (), initial_config: Any = None) -> None:
    """Begin an experiment."""
    if state.now is not None:
        raise Refused("setup() twice without end(): the chip is still held")
    state.now = Experiment(list(neuronPermutation), initial_config)


def run(runtime: float | None, command: RunCommand = RunCommand.EXECUTE) -> None:
    """Calibrate and route, and run for some ms."""
    if state.now is None:
        raise Refused("run() before setup()")
    if command is RunCommand.PREPARE:
        state.now.prepare()
    elif command is RunCommand.EXECUTE and runtime is not None:
        state.now.run(float(runtime))
    else:
        raise Refused(f"this stand-in does not run {command} for {runtime}")


def reset() -> None:
    """Forget what was recorded; the network stays."""
    if state.now is None:
        raise Refused("reset() before setup()")


def end() -> None:
    """Release the chip."""
    state.now = None


def get_backend_statistics() -> dict[str, object]:
    """What routing used."""
    if state.now is None or not state.now.used:
        raise Refused("statistics before anything was routed")
    return {"stand-in, no chip": True, **state.now.used}


def _chip_from_file(path: str) -> dict[str, float]:
    """Parameters of all neurons from a stand-in's calibration file, JSON in a file called .pbin."""
    if Path(path).suffix != ".pbin" or not Path(path).is_file():
        raise Refused(f"{path}: a calibration is a portable binary, .pbin")
    return rules.whole(json.loads(Path(path).read_text()))


cells = SimpleNamespace(SpikeSourceArray=SpikeSourceArray, CalibHXNeuronCuba=CalibHXNeuronCuba, HXNeuron=HXNeuron)
synapses = SimpleNamespace(StaticSynapse=StaticSynapse)
helper = SimpleNamespace(chip_from_file=_chip_from_file)
errors = SimpleNamespace(ConnectionError=rules.ConnectionError)
