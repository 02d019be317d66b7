"""A chip that was fitted to recordings, as a JSON file: the chip itself, and the profile it suggests for others."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lightning_neuro.errors import DataError, first_line
from lightning_neuro.neurons.chip_profiles import ChipProfile, Spread, chip_profile
from lightning_neuro.targets.brainscales.virtual_chip import FACTORS, LayerFactors, VirtualChip

KIND = "lightning-neuro virtual BrainScaleS-2 chip"
DIGITS = 7


def write_chip(chip: VirtualChip, source: str, path: Path) -> None:
    """Write a chip.

    Args:
        chip: fitted.
        source: what it was fitted to.
        path: of the file.
    """
    layers = {
        name: {key: np.round(getattr(layer, key), DIGITS).tolist() for key in FACTORS}
        | {
            "latency_us": layer.latency_us,
            "synapses": None if layer.synapses is None else np.round(layer.synapses, DIGITS).tolist(),
        }
        for name, layer in chip.layers.items()
    }
    plain = {key: getattr(chip, key) for key in ("name", "threshold_run_std", "jitter_us", "grid_us", "seed")}
    path.write_text(json.dumps({"kind": KIND, "source": source, **plain, "layers": layers}, indent=1) + "\n")


def read_chip(path: Path) -> VirtualChip:
    """Read the chip of a file.

    Raises:
        DataError: there is no such file, or it is not one.
    """
    values = _read(path)
    try:
        layers = {name: LayerFactors(**layer) for name, layer in values["layers"].items()}
        return VirtualChip(layers=layers, **{key: values[key] for key in _PLAIN})
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _refusal(path, first_line(error)) from None


def read_profile(path: Path) -> ChipProfile:
    """Read how virtual chips like that of a file are drawn: the mean and deviation of its neurons.

    Raises:
        DataError: see ``read_chip``.
    """
    return profile_of_chip(read_chip(path), str(_read(path).get("source", path.name)))


def named_profile(value: str, where: str) -> ChipProfile:
    """Profile by name, or of the file of a fitted chip.

    Args:
        value: name of a profile, or path of a ``.json`` file.
        where: key of the configuration that said so, for the message.

    Raises:
        NeuroError: there is no such profile, or the file is not one.
    """
    return read_profile(Path(value)) if value.endswith(".json") else chip_profile(value, where)


def profile_of_chip(chip: VirtualChip, source: str) -> ChipProfile:
    """Profile with the spreads of a chip's neurons, of all layers together."""
    spreads = {}
    for name in FACTORS:
        values = np.concatenate([getattr(layer, name) for layer in chip.layers.values()])
        spreads[name] = Spread(mean=float(values.mean()), std=float(values.std()))
    return ChipProfile(
        **spreads,
        threshold_run_std=chip.threshold_run_std,
        jitter_us=chip.jitter_us,
        latency_us=float(np.mean([layer.latency_us for layer in chip.layers.values()])),
        grid_us=chip.grid_us,
        source=source,
    )


_PLAIN = tuple(field.name for field in dataclasses.fields(VirtualChip) if field.name != "layers")


def _read(path: Path) -> Mapping[str, Any]:
    try:
        values = json.loads(path.read_text())
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise _refusal(path, first_line(error)) from None
    if not isinstance(values, dict) or values.get("kind") != KIND:
        raise _refusal(path, f"its kind is not {KIND!r}")
    return values


def _refusal(path: Path, why: str) -> DataError:
    return DataError(
        f"{path} is no file of a fitted chip",
        where=str(path),
        why=why,
        next_command="python -m lightning_neuro.targets.brainscales.fit_command --help   (makes such files)",
    )
