"""Stop a sample as soon as its answer is clear: fewer steps on average, nearly the same accuracy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stopped:
    """Answers of samples that may stop early.

    Args:
        classes: [sample].
        steps: number of steps that each sample took, [sample].
    """

    classes: NDArray[np.int64]
    steps: NDArray[np.int64]

    @property
    def mean_steps(self) -> float:
        """Mean number of steps per sample."""
        return float(self.steps.mean())


def stop_early(scores: NDArray[np.float32], steps: tuple[int, ...], margin: float) -> Stopped:
    """Answer at the first T whose largest score leads the second by ``margin``, else at the last T.

    Args:
        scores: scores divided by T, [sample, T, class], as ``Evaluation.scores``.
        steps: numbers of time steps T at which a sample may stop.
        margin: lead in accumulated scores (score times T), in the unit of the ANN's scores: evidence adds up over
            steps while the rounding of spikes does not.
    """
    summed = scores.astype(np.float64) * np.asarray(steps)[:, None]
    ordered = np.sort(summed, axis=2)
    clear = ordered[:, :, -1] - ordered[:, :, -2] >= margin
    clear[:, -1] = True
    first = clear.argmax(axis=1)
    rows = np.arange(len(scores))
    return Stopped(
        classes=scores[rows, first].argmax(axis=1).astype(np.int64),
        steps=np.asarray(steps, np.int64)[first],
    )
