"""Every reason why the reader behind a profile would compute other spikes."""

from __future__ import annotations

from typing import Any

from lightning_neuro.graph import golden
from lightning_neuro.graph.hardware_graph import HardwareGraph, Population, ResetKind
from lightning_neuro.graph.profile_nodes import connection_reasons
from lightning_neuro.graph.profiles import Profile, kind_of


def refusals(graph: HardwareGraph, profile: Profile, recording: golden.Recording | None) -> list[str]:
    """Every reason why a reader would compute something else."""
    reasons = [reason for p in graph.populations for reason in _population_reasons(graph, p, profile)]
    if profile.flat_subtract and recording is not None and not reasons:
        reasons += [reason for p in graph.populations for reason in _several_spikes(p, recording)]
    return reasons


def _population_reasons(graph: HardwareGraph, population: Population, profile: Profile) -> list[str]:
    kind, where, neuron = kind_of(population), population.name, population.stepped
    reset = neuron.reset.kind, neuron.reset.delay
    spikes = reset[0] is not ResetKind.NONE
    constants = [neuron.leak_mem.beta, neuron.threshold.real, neuron.v_reset.real]
    mixed = bool(((neuron.leak_mem.beta == 1) & (kind != "if")).any())
    rules = {
        f"{where} is of kind {kind}, the reader knows {', '.join(profile.neurons)}": kind not in profile.neurons,
        f"{where} mixes neurons with and without leak": mixed,
        f"{where} resets by {reset[0].value} with delay {reset[1]}": spikes and reset not in profile.resets,
        f"{where} has a reset potential other than rest": spikes
        and bool(neuron.v_reset.real.any())
        and not (profile.v_reset and (kind == "lif" or profile.homogeneous)),
        f"{where} has a threshold that is not positive": spikes and bool((neuron.threshold.real <= 0).any()),
        f"{where} has constants that differ between neurons": profile.homogeneous
        and any((c != c[:1]).any() for c in constants),
        f"{where} starts from another membrane than 0": bool(neuron.v_init.real.any()),
        f"{where} spikes only in a part of the sample": population.fires_from > 0 or population.fires_until is not None,
        f"{where} has a bias that ends": any(late.until is not None for late in population.late_biases),
        f"{where} has a bias": not profile.biases and bool(population.bias.real.any()),
        f"{where} has late biases outside one loop": _odd_late_bias(graph, population, profile),
        f"{where} is current-based with a bias": "spinnaker2" in profile.reader
        and kind == "cuba"
        and bool(population.bias.real.any()),
        f"{where} is an image; the reader compares its arrays as a whole": profile.flat_subtract
        and kind in ("lif", "li")
        and len(population.shape) > 1,
        f"{where} is fed by nothing that could hold its bias": bool(population.bias.real.any())
        and not any(p.delay == 0 for p in graph.into(where)),
    }
    found = [reason for reason, broken in rules.items() if broken]
    for projection in graph.into(where):
        found += _projection_reasons(projection, population, profile)
    return found


def _odd_late_bias(graph: HardwareGraph, population: Population, profile: Profile) -> bool:
    late = population.late_biases
    own = [p for p in graph.into(population.name) if p.pre == population.name and p.delay == 1]
    return bool(late) and not (profile.loops and len(late) == 1 and late[0].onset == 1 and len(own) == 1)


def _projection_reasons(projection: Any, population: Population, profile: Profile) -> list[str]:
    own = projection.pre == projection.post
    found = []
    if projection.delay and not (own and projection.delay == 1 and profile.loops):
        found.append(f"{projection.name} has a delay" if not own else f"{population.name} feeds itself")
    return found + connection_reasons(projection, population, profile)


def _several_spikes(population: Population, recording: golden.Recording) -> list[str]:
    """sinabs lets a neuron spike several times in a step, and spikes at the threshold itself."""
    neuron: Any = population.neuron
    if neuron.reset.kind is ResetKind.NONE:
        return []
    threshold, after = neuron.threshold.real, recording.membrane[population.name]
    fired = recording.spikes[population.name].astype(bool)
    found = []
    if (~fired & (after >= threshold)).any():
        found.append(f"{population.name} meets its threshold exactly, where the reader spikes")
    if (fired & (after >= threshold)).any():
        found.append(f"{population.name} reaches twice its threshold in a step, where the reader spikes twice")
    if kind_of(population) == "if" and (after < -threshold).any():
        found.append(f"{population.name} falls below minus its threshold, where the reader stops it")
    return found
