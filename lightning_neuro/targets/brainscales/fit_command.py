"""A virtual chip from a real one.

    python -m lightning_neuro.targets.brainscales.fit_command RECORDING --out CHIP.json

RECORDING: ``result.npz`` in the folder of an artefact, or one of the files that ``recordings`` describes. The chip is
fitted to a part of the samples and scored on the rest. The file is a chip for ``emulate`` and a profile
for ``target.profile=CHIP.json``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress

from lightning_neuro.errors import NeuroError
from lightning_neuro.neurons.chip_profiles import PROFILES
from lightning_neuro.targets.brainscales.chip_file import write_chip
from lightning_neuro.targets.brainscales.fit import FitOptions, FitScore, fit_chip, score_chip
from lightning_neuro.targets.brainscales.recordings import ChipRecording, read_recording
from lightning_neuro.targets.brainscales.virtual_chip import VirtualChip, ideal_chip

OPTIONS = FitOptions(steps=16, prior=0.1, synapse_prior=0.1, noise_us=0.3)
"""Priors: spreads of a calibrated chip are some percent; noise: what the fit to chip W66F3 leaves."""


def fit_and_score(
    recording: ChipRecording, options: FitOptions, *, share: float, quiet: bool
) -> tuple[VirtualChip, FitScore, FitScore]:
    """Fit to the first samples and score on the rest.

    Args:
        recording: of the chip.
        options: of the fit.
        share: of the samples that the fit sees, 0..1.
        quiet: whether to show no progress.

    Returns:
        The fitted chip, its score, and the score of the ideal chip on the same samples.
    """
    count = round(share * recording.inputs.samples)
    seen, rest = (recording.take(part) for part in np.split(np.arange(recording.inputs.samples), [count]))
    with Progress(console=Console(stderr=True), transient=True, disable=quiet) as bars:
        task = bars.add_task("fitting", total=options.steps)
        chip = fit_chip(
            seen.network,
            seen.inputs,
            seen.spikes,
            options,
            grid_us=PROFILES["measured-w66f3"].grid_us,
            progress=lambda steps: bars.advance(task, steps),
        )
    output = rest.spikes[rest.network.output]
    scores = [score_chip(rest.network, rest.inputs, output, c) for c in (chip, ideal_chip(rest.network))]
    return chip, scores[0], scores[1]


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(prog="fit_command", description="Fit a virtual chip to a recording.")
    parser.add_argument("recording", type=Path, help="result.npz of an artefact, or another .npz with spike times")
    parser.add_argument("--out", type=Path, required=True, help="where the chip goes, .json")
    parser.add_argument("--share", type=float, default=0.3, help="share of the samples that are fitted (%(default)s)")
    parser.add_argument("--steps", type=int, default=OPTIONS.steps, help="of the fit, at most (%(default)s)")
    chosen = parser.parse_args(arguments)
    if not 0 < chosen.share < 1:
        parser.error("--share must be between 0 and 1: the rest of the samples is for the score")
    try:
        recording = read_recording(chosen.recording)
        options = FitOptions(
            steps=chosen.steps, prior=OPTIONS.prior, synapse_prior=OPTIONS.synapse_prior, noise_us=OPTIONS.noise_us
        )
        chip, fitted, ideal = fit_and_score(recording, options, share=chosen.share, quiet=False)
        write_chip(chip, f"fitted to {chosen.recording.name}", chosen.out)
    except NeuroError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    for name, score in (("ideal", ideal), ("fitted", fitted)):
        print(
            f"{name:<7} same class {100 * score.same_class:5.1f} %, output spikes off by {score.mean_us:+.3f} us on "
            f"average, std {score.std_us:.3f} us (robust {score.robust_us:.3f}), one-sided {100 * score.missing:.1f} %"
        )
    print(f"jitter at most {chip.jitter_us:.3f} us; {chosen.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
