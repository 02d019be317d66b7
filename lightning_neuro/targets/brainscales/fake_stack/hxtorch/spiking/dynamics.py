"""What the modules answer: hxtorch's forward Euler in mock mode, else the emulator of a virtual chip."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lightning_neuro.targets.brainscales.fake_stack.stand_in_chip import Neurons, Wires, answer, stand_in


def euler(spikes: Any, weights: Any, c: Mapping[str, float], dt: float, spiking: bool) -> Any:
    """Spikes or membranes [step, sample, neuron] in steps: the membrane first, with the old current."""
    drive = spikes @ weights.T
    v = np.full(drive.shape[1:], c["leak"])
    i, held = np.zeros_like(v), np.zeros(v.shape, int)
    found = np.zeros_like(drive)
    for step in range(len(drive)):
        v = v + dt / c["tau_mem"] * (c["leak"] - v + i)
        i = i * (1 - dt / c["tau_syn"]) + drive[step]
        if not spiking:
            found[step] = v
            continue
        v = np.where(held > 0, c["reset"], v)
        held = np.maximum(held - 1, 0)
        found[step] = v > c["threshold"]
        held = np.where(found[step] > 0, round(c["refractory"] / dt), held)
        v = np.where(found[step] > 0, c["reset"], v)
    return found


def on_chip(spikes: Any, weights: Any, c: Mapping[str, float], dt: float, spiking: bool) -> Any:
    """Spikes [step, sample, neuron] of the virtual chip, or membranes in LSB of the CADC above the leak."""
    if not spiking:
        return _membranes(spikes, weights, c, dt)
    steps, samples, lines = spikes.shape
    step, sample, line = np.nonzero(spikes)
    neurons = Neurons(
        size=len(weights),
        v_rest=c["v_rest"],
        v_reset=c["v_reset"],
        v_thresh=c["v_thresh"],
        tau_m=c["tau_m"],
        tau_syn=c["tau_syn_E"],
        tau_refrac=c["tau_refrac"],
        i_synin_gm=c["i_synin_gm_E"],
        synapse_dac_bias=c["synapse_dac_bias"],
    )
    events = (sample, line, step * dt * 1e6, samples)
    wires = [Wires(pre="", post="layer", weights=weights)]
    found = answer(lines, events, {"layer": neurons}, wires, end_us=steps * dt * 1e6, run=0).spikes["layer"]
    raster = np.zeros((steps, samples, len(weights)), np.float32)
    raster[np.minimum((found.time_us / (dt * 1e6)).astype(int), steps - 1), found.sample, found.neuron] = 1
    return raster


def _membranes(spikes: Any, weights: Any, c: Mapping[str, float], dt: float) -> Any:
    """Exact from step to step; the chip's converter would sample more coarsely."""
    scale = stand_in().lsb_per_unit(c["i_synin_gm_E"], c["synapse_dac_bias"])
    drive = spikes @ (weights.T / scale).astype(np.float32)
    keep_i, keep_v = np.exp(-dt * 1e6 / c["tau_syn_E"]), np.exp(-dt * 1e6 / c["tau_m"])
    apart = c["tau_m"] - c["tau_syn_E"]
    equal = abs(apart) < 1e-6 * c["tau_m"]
    share = dt * 1e6 / c["tau_m"] * keep_v if equal else c["tau_syn_E"] / apart * (keep_v - keep_i)
    v = np.zeros(drive.shape[1:])
    i, found = np.zeros_like(v), np.zeros(drive.shape, np.float32)
    for step in range(len(drive)):
        i = i + drive[step]
        v, i = v * keep_v + i * share, i * keep_i
        found[step] = v
    return found
