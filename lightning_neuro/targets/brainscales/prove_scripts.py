"""The user's own files, run by a strict stand-in for the chip's software: no chip, the emulator's spikes."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lightning_neuro.errors import ToolError
from lightning_neuro.report import Outcome
from lightning_neuro.targets.brainscales.artefact import EXPECTED
from lightning_neuro.targets.brainscales.fake_stack import FOLDER, SEVERAL
from lightning_neuro.targets.brainscales.fake_stack.stand_in_chip import SETTINGS
from lightning_neuro.targets.brainscales.script import HXTORCH, PYNN
from lightning_neuro.targets.brainscales.subject import Subject
from lightning_neuro.targets.proofs import Proof, counted, made, skipped, timed
from lightning_neuro.tools import run_tool

PYNN_SCRIPT, HXTORCH_SCRIPT = "pynn_script", "hxtorch_script"
MOST_ALONE = 1e-3  # share of first spikes elsewhere: of the sample before, 3e-7 of a potential are left
CYCLES_US = 0.0081  # one cycle of the FPGA
STEP_US = 0.05  # of hxtorch: every layer's spikes are cut off to it, and a later layer gets them so
MOST_SAME = 0.95  # classes that agree with steps of that size
EXPECTED_PYNN = "accepted; the spikes of expected.npz, to one cycle of 8 ns"
EXPECTED_HXTORCH = f"accepted; at least {100 * MOST_SAME:g} % of the classes of expected.npz in steps of {STEP_US:g} us"


def prove_pynn(subject: Subject) -> Proof:
    """``run_pynn.py`` against the stand-in for pynn_brainscales."""
    merged = [b.circuits_per_neuron for run in subject.prepared.runs for b in run.placement.blocks]
    if max(merged) > 1:
        reason = f"PyNN's calibrated cells have one circuit, neurons here up to {max(merged)}; {HXTORCH} runs them (to "
        return skipped(PYNN_SCRIPT, EXPECTED_PYNN, reason + "enable: fewer inputs per neuron or smaller weights)")
    return timed(PYNN_SCRIPT, EXPECTED_PYNN, lambda work: _pynn(subject, work))


def _pynn(subject: Subject, work: Path) -> Proof:
    start = time.perf_counter()
    found, _ = run_script(subject, work, PYNN, [[], ["--check"]])
    with np.load(subject.artefact / EXPECTED) as file:
        expected = dict(file)
    alone = total = 0
    late = 0.0
    for layer in (layer for layer in subject.prepared.network.layers if layer.spiking):
        shape = (subject.prepared.inputs.samples, layer.size)
        got, wanted = (first_times(spikes, layer.name, shape) for spikes in (found, expected))
        both = np.isfinite(got) & np.isfinite(wanted)
        off = np.abs(got[both] - wanted[both])
        alone += int((np.isfinite(got) != np.isfinite(wanted)).sum() + (off > CYCLES_US).sum())
        total += int((np.isfinite(got) | np.isfinite(wanted)).sum())
        late = max(late, float(off.max(initial=0)))
    same = float((found["classes"] == expected["classes"]).mean())
    passed = alone <= MOST_ALONE * max(total, 1) and same >= 1 - MOST_ALONE
    got_words = f"accepted; {alone} of {total:,} first spikes elsewhere, largest difference {1e3 * late:.0f} ns"
    words = f"{subject.prepared.inputs.samples} samples in a row, {100 * same:.1f} % same class; --check too"
    outcome = Outcome.PASSED if passed else Outcome.FAILED
    seconds = time.perf_counter() - start
    check = made(PYNN_SCRIPT, outcome, EXPECTED_PYNN, got_words, words, seconds)
    return Proof(checks=(check,), resources=counted(PYNN_SCRIPT, total, alone))


def prove_hxtorch(subject: Subject) -> Proof:
    """``run_hxtorch.py`` against the stand-in for hxtorch, on the "chip" and in mock mode."""
    return timed(HXTORCH_SCRIPT, EXPECTED_HXTORCH, lambda work: _hxtorch(subject, work))


def _hxtorch(subject: Subject, work: Path) -> Proof:
    start = time.perf_counter()
    options = ["--dt", str(STEP_US)]
    found, mocked = run_script(subject, work, HXTORCH, [options, [*options, "--mock", "--samples", "20"]])
    with np.load(subject.artefact / EXPECTED) as file:
        classes = file["classes"]
    same = float((found["classes"] == classes).mean())
    mock = float((mocked["classes"] == classes[: len(mocked["classes"])]).mean())
    outcome = Outcome.PASSED if same >= MOST_SAME else Outcome.FAILED
    words = f"{len(classes)} samples; with --mock {100 * mock:.0f} % of {len(mocked['classes'])}"
    got = f"accepted; {100 * same:.1f} % same class"
    return Proof(checks=(made(HXTORCH_SCRIPT, outcome, EXPECTED_HXTORCH, got, words, time.perf_counter() - start),))


def first_times(spikes: dict[str, Any], name: str, shape: tuple[int, int]) -> Any:
    """First spike times [sample, neuron] of a layer in a file's arrays, inf where there is none."""
    times = np.full(shape, np.inf)
    np.minimum.at(times, (spikes[f"{name}.sample"], spikes[f"{name}.neuron"]), spikes[f"{name}.time_us"])
    return times


def run_script(subject: Subject, work: Path, script: str, calls: Sequence[Sequence[str]]) -> list[dict[str, Any]]:
    """Run one of the artefact's scripts with the stand-in in front of the path.

    Args:
        subject: what is proved.
        work: folder to run in.
        script: name of the script.
        calls: options of each call, one after the other.

    Returns:
        What each call wrote; nothing with ``--check``.

    Raises:
        ToolError: the stand-in refused something, or the script ended with an error.
    """
    analog = subject.prepared.analog
    settings = {
        "profile": "ideal",
        "weight_scale": analog.weight_scale,
        "distance": analog.distance,
        "i_synin_gm": analog.i_synin_gm,
        "synapse_dac_bias": analog.synapse_dac_bias,
    }
    (work / "chip.json").write_text(json.dumps(settings))
    package = str(Path(__file__).resolve().parents[3])
    path = os.pathsep.join([str(FOLDER), package, *filter(None, [os.environ.get("PYTHONPATH")])])
    written = [work / f"result{number}.npz" for number in range(len(calls))]
    asked = [json.dumps([*options, "--out", str(out)]) for options, out in zip(calls, written, strict=True)]
    command = [sys.executable, "-B", str(SEVERAL), str(subject.artefact / script), *asked]
    env = {"PYTHONPATH": path, SETTINGS: str(work / "chip.json")}
    run_tool(command, cwd=work, timeout_s=subject.timeout_s, env=env)
    return [_read(script, options, out) for options, out in zip(calls, written, strict=True)]


def _read(script: str, options: Sequence[str], out: Path) -> dict[str, Any]:
    if "--check" in options:
        return {}
    if not out.is_file():
        said = f"{script} wrote no {out.name}"
        raise ToolError(said, where=str(out.parent), why="it ended early", next_command=f"python {script}")
    with np.load(out) as file:
        return dict(file)
