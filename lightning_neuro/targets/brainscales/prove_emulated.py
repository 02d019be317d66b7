"""Proofs by emulation: the ideal chip against the golden model, and accuracy over virtual chips."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.graph.evaluate import classes_of
from lightning_neuro.graph.hardware_graph import ReadoutKind, TimeBase
from lightning_neuro.neurons.chip_profiles import PROFILES
from lightning_neuro.report import Outcome
from lightning_neuro.targets.base import Share, share_right
from lightning_neuro.targets.brainscales.analog import cadc_per_unit
from lightning_neuro.targets.brainscales.cadc import Cadc
from lightning_neuro.targets.brainscales.emulator import emulate
from lightning_neuro.targets.brainscales.mapping import chip_network
from lightning_neuro.targets.brainscales.mapping_inputs import input_events
from lightning_neuro.targets.brainscales.pictures import chip_accuracies, sample_on_chips
from lightning_neuro.targets.brainscales.prediction import Prediction, prediction_of
from lightning_neuro.targets.brainscales.prepared import ideal_answer
from lightning_neuro.targets.brainscales.recording import Recording, first_spikes, spike_counts
from lightning_neuro.targets.brainscales.subject import Subject, events_of_inputs
from lightning_neuro.targets.brainscales.virtual_chip import draw_chips, ideal_chip
from lightning_neuro.targets.proofs import Proof, counted, made, skipped

EXACT, CONTINUOUS, CHIPS = "emulator_against_golden", "continuous_time", "virtual_chips"
TOLERANCE_US = 1e-3  # of a spike time, between two exact solutions
CLOSE_US = 0.3  # decisions by less are lost on real chips: robust spread that a fit to one left
UNKNOWN = "no labelled samples in the file (to enable: deploy the checkpoint)"
MOST_CLOSE = 0.1  # share of such samples from which on it is said
CADC_US = 2.0  # between two samples of the membranes (hxtorch: 1.7 to 2)
CADC_NOISE_LSB = 2.0  # assumption; a calibration is accepted with less than 7 (calix, test_neuron_integration.py)


def prove_exact(subject: Subject) -> Proof:
    """The emulator of an ideal chip against the golden model: spike times, or accuracy where there are steps."""
    continuous = subject.prepared.job.graph.time is TimeBase.CONTINUOUS
    return _same_times(subject) if continuous else _same_accuracy(subject)


def _same_times(subject: Subject) -> Proof:
    start = time.perf_counter()
    prepared, options = subject.prepared, subject.prepared.options
    job = prepared.job
    network = chip_network(job.graph, options)
    inputs = input_events(job.graph, job.vectors.spikes, options)
    found = emulate(network, inputs, [ideal_chip(network)], run=0)[0]
    compared = wrong = 0
    largest = 0.0
    for layer in network.layers:
        wanted = job.vectors.expected.times[layer.name] * 1e6 / options.speedup
        wanted = np.where(wanted >= network.sample_us - TOLERANCE_US, np.inf, wanted)
        got = first_spikes(found.spikes[layer.name])
        got = np.where(got >= network.sample_us - TOLERANCE_US, np.inf, got)
        both = np.isfinite(got) & np.isfinite(wanted)
        off = np.abs(got[both] - wanted[both])
        compared += int((np.isfinite(got) | np.isfinite(wanted)).sum())
        wrong += int((np.isfinite(got) != np.isfinite(wanted)).sum() + (off > TOLERANCE_US).sum())
        largest = max(largest, float(off.max(initial=0)))
    expected = f"0 first spikes off by more than {TOLERANCE_US:g} us"
    words = f"{inputs.samples} samples, {compared:,} first spikes, largest difference {largest:.2g} us"
    outcome = Outcome.FAILED if wrong else Outcome.PASSED
    seconds = time.perf_counter() - start
    check = made(EXACT, outcome, expected, f"{wrong} first spikes off", words, seconds)
    return Proof(checks=(check,), resources=counted(EXACT, compared, wrong))


def _same_accuracy(subject: Subject) -> Proof:
    """What it costs that the chip has no steps: delta synapses become currents, spikes fall within steps."""
    start = time.perf_counter()
    inputs = subject.evaluation
    stepped = classes_of(subject.prepared.job.graph, inputs, "real")
    ideal = ideal_answer(subject.prepared.network, events_of_inputs(subject, inputs)).classes
    before, after = share_right(stepped, inputs.labels), share_right(ideal, inputs.labels)
    same = float((stepped == ideal).mean())
    expected = f"at most {subject.steps_points:g} points below the network in steps"
    if before is None or after is None:
        return skipped(CONTINUOUS, expected, f"{UNKNOWN}; {100 * same:.1f} % of {len(ideal)} get the same class")
    got = f"{100 * after.right:.2f} % in continuous time, {100 * before.right:.2f} % in steps"
    passed = 100 * (before.right - after.right) <= subject.steps_points + 1e-9
    words = f"{len(ideal)} samples, both with the chip's weights; {100 * same:.1f} % same class"
    if not passed:
        words += "; train with a synaptic current as slow as the chip's (model.tau_syn=5e-3), or in finer steps"
    check = made(
        CONTINUOUS,
        Outcome.PASSED if passed else Outcome.FAILED,
        expected,
        got,
        words,
        time.perf_counter() - start,
    )
    return Proof(checks=(check,))


def prove_chips(subject: Subject) -> Proof:
    """Accuracy on virtual chips: mean, spread and worst; a chip that nobody has measured is one of them at best."""
    start = time.perf_counter()
    inputs, network, wanted = subject.evaluation, subject.prepared.network, subject.prediction
    events = events_of_inputs(subject, inputs)
    chips = draw_chips(network, wanted.profile, chips=wanted.chips, seed=wanted.seed)
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        subject.progress("virtual chips", done, len(chips))

    ideal = ideal_answer(network, events)
    cadc = converter(subject)
    recordings = emulate(network, events, chips, run=0, cadc=cadc, progress=advance)
    known = bool((inputs.labels >= 0).any())
    goal = inputs.labels if known else ideal.classes
    found = prediction_of(recordings, goal)
    reference = share_right(ideal.classes, goal)
    assert reference is not None
    lost = 100 * (reference.right - found.mean)
    passed = lost <= wanted.points + 1e-9
    what = "right" if known else "same class as the ideal chip"
    got = f"mean {100 * found.mean:.2f} %, std {100 * found.std:.2f}, worst {100 * found.min:.2f} % {what}"
    words = f"{wanted.chips} chips of profile {wanted.profile_name}, {len(goal)} samples; "
    words += f"ideal chip {100 * reference.right:.2f} %"
    margins, close = decision_margins(subject, ideal)
    words += f"; {close}" if close else ""
    if cadc is not None:
        words += f"; membranes read every {cadc.period_us:g} us with {cadc.noise_lsb:g} LSB of noise (assumed)"
    if not passed:
        noise = wanted.profile_name if wanted.profile_name in PROFILES else "delgrad"
        words = f"train for it: model=spike_time_brainscales or model.noise={noise}; {words}"
    expected, seconds = f"mean at most {wanted.points:g} points below the ideal chip", time.perf_counter() - start
    check = made(CHIPS, Outcome.PASSED if passed else Outcome.FAILED, expected, got, words, seconds)
    if not known:
        check = skipped(CHIPS, expected, f"{UNKNOWN}; {got}").checks[0]
    resources = {"predicted": _numbers(subject, found, reference, ideal, recordings), "decisions": margins}
    sample = telling_sample(subject.prepared.expected.classes, subject.prepared.job.vectors.labels)
    return Proof(
        checks=(check,),
        resources=resources,
        share=Share(right=found.mean, samples=len(goal)) if known else None,
        plots=(
            chip_accuracies(found.accuracies, reference.right, wanted.profile_name),
            sample_on_chips(network, subject.prepared.inputs, subject.prepared.expected, chips[0], sample),
        ),
    )


def converter(subject: Subject) -> Cadc | None:
    """How membranes of the read-out are digitised on virtual chips; None where it spikes."""
    prepared = subject.prepared
    output = prepared.network.layer(prepared.network.output)
    if output.spiking:
        return None
    return Cadc(
        period_us=CADC_US,
        leak_lsb=prepared.analog.leak,
        scale_lsb=cadc_per_unit(output, prepared.analog),
        noise_lsb=CADC_NOISE_LSB,
    )


def telling_sample(classes: NDArray[Any], labels: NDArray[Any]) -> int:
    """The first sample that is classified rightly, else the first."""
    right = np.flatnonzero(classes == labels)
    return int(right[0]) if len(right) else 0


def _numbers(
    subject: Subject, found: Prediction, reference: Share, ideal: Recording, recordings: Sequence[Recording]
) -> dict[str, object]:
    wanted = subject.prediction
    numbers: dict[str, object] = {
        "profile": wanted.profile_name,
        "chips": wanted.chips,
        "samples": reference.samples,
        "accuracy of the ideal chip": reference.right,
        "accuracy": {"min": found.min, "mean": found.mean, "max": max(found.accuracies)},
        "accuracy, std over chips": found.std,
    }
    output = subject.prepared.network.output
    if output in ideal.spikes:
        times = np.stack([first_spikes(r.spikes[output]) for r in recordings])
        everywhere = np.isfinite(times).all(axis=0)
        if everywhere.any():
            spread = float(times[:, everywhere].std(axis=0).mean())
            numbers["output spikes, std over chips (us)"] = spread
        silent = float(np.isinf(times).all(axis=2).mean())
        numbers["samples without any output spike"] = silent
    return numbers


def decision_margins(subject: Subject, ideal: Recording) -> tuple[dict[str, object], str]:
    """Distance of the first class from the second on the ideal chip, and a warning where many are close."""
    network = subject.prepared.network
    if network.readout is ReadoutKind.SPIKE_COUNT:
        counts = np.sort(spike_counts(ideal.spikes[network.output]), axis=1)
        ties = float((counts[:, -1] == counts[:, -2]).mean()) if counts.shape[1] > 1 else 0.0
        return {"decided by a tie of spike counts": f"{100 * ties:.1f} %"}, ""
    if network.readout is not ReadoutKind.FIRST_SPIKE or network.layer(network.output).size < 2:
        return {}, ""
    times = np.sort(first_spikes(ideal.spikes[network.output]), axis=1)
    answered = np.isfinite(times[:, 0])
    margin = times[answered, 1] - times[answered, 0]
    if not margin.size:
        return {}, ""
    close = float((margin < CLOSE_US).mean())
    numbers: dict[str, object] = {
        f"decided by less than {CLOSE_US} us": f"{100 * close:.1f} %",
        "jitter of a spike (us)": subject.prediction.profile.jitter_us,
    }
    if np.isfinite(margin).any():
        numbers = {"median gap of the first two classes (us)": float(np.median(margin[np.isfinite(margin)]))} | numbers
    words = f"beware: {100 * close:.0f} % of the decisions hang on less than {CLOSE_US} us"
    return numbers, words if close > MOST_CLOSE else ""
