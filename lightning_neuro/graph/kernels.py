"""The five lines of a step, twice: in integers and in float64, over whole spike rasters.

Every kernel walks [sample, step, neuron] and keeps membrane, current and last spike per neuron. The order is
the project's: drive, current, membrane, spike, reset. ``kind`` is an index into ``RESET_CODES``. The state
[sample, neuron] is taken and left behind, so that loops can advance one step at a time. Where a neuron spikes
only once, "last spike" means any spike before. The drive begins at step ``first`` of the sample; before step
``fires_from`` and from ``fires_until`` on nothing is compared with a threshold.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lightning_neuro.graph.hardware_graph import ResetKind

RESET_CODES: dict[ResetKind, int] = {
    ResetKind.NONE: 0,
    ResetKind.ZERO: 1,
    ResetKind.SUBTRACT: 2,
    ResetKind.CLAMP: 3,
    ResetKind.ONCE: 4,
}


@njit(cache=True, nogil=True)
def resume_integers(
    drive: NDArray[np.int64],
    current_based: bool,
    syn_multiplier: NDArray[np.int64],
    syn_shift: int,
    mem_multiplier: NDArray[np.int64],
    mem_shift: int,
    threshold: NDArray[np.int64],
    v_reset: NDArray[np.int64],
    kind: int,
    delay: int,
    first: int,
    fires_from: int,
    fires_until: int,
    low: int,
    high: int,
    v_of: NDArray[np.int64],
    i_of: NDArray[np.int64],
    fired_of: NDArray[np.uint8],
    spikes: NDArray[np.uint8],
    membrane: NDArray[np.int64],
) -> None:
    """Advance integer neurons from a given state; ``v_of``, ``i_of`` and ``fired_of`` [samples, n] change in place."""
    samples, steps, n = drive.shape
    for sample in range(samples):
        v, i, fired = v_of[sample], i_of[sample], fired_of[sample]
        for t in range(steps):
            ready = fires_from <= first + t < fires_until
            for k in range(n):
                x = drive[sample, t, k]
                if kind == 1 and delay == 1 and fired[k]:
                    v[k] = v_reset[k]
                if current_based:
                    i[k] = i[k] - ((i[k] * syn_multiplier[k]) >> syn_shift) + x
                    x = i[k]
                total = v[k] - ((v[k] * mem_multiplier[k]) >> mem_shift) + x
                if kind == 2 and delay == 1 and fired[k]:
                    total -= threshold[k]
                v[k] = min(max(total, low), high)
                if kind >= 3 and fired[k]:
                    v[k] = v_reset[k]
                s = kind != 0 and ready and v[k] > threshold[k] and not (kind == 4 and fired[k])
                if s and delay == 0:
                    if kind == 2:
                        v[k] -= threshold[k]
                    else:
                        v[k] = v_reset[k]
                fired[k] = s or (kind == 4 and fired[k])
                spikes[sample, t, k] = s
                membrane[sample, t, k] = v[k]


@njit(cache=True, nogil=True)
def resume_reals(
    drive: NDArray[np.float64],
    current_based: bool,
    alpha: NDArray[np.float64],
    beta: NDArray[np.float64],
    threshold: NDArray[np.float64],
    v_reset: NDArray[np.float64],
    kind: int,
    delay: int,
    first: int,
    fires_from: int,
    fires_until: int,
    v_of: NDArray[np.float64],
    i_of: NDArray[np.float64],
    fired_of: NDArray[np.uint8],
    spikes: NDArray[np.uint8],
    membrane: NDArray[np.float64],
    margin: NDArray[np.float64],
) -> None:
    """Advance float64 neurons from a given state; ``v_of``, ``i_of`` and ``fired_of`` [samples, n] change in place."""
    samples, steps, n = drive.shape
    for sample in range(samples):
        v, i, fired = v_of[sample], i_of[sample], fired_of[sample]
        for t in range(steps):
            ready = fires_from <= first + t < fires_until
            for k in range(n):
                x = drive[sample, t, k]
                if kind == 1 and delay == 1 and fired[k]:
                    v[k] = v_reset[k]
                if current_based:
                    i[k] = alpha[k] * i[k] + x
                    x = i[k]
                v[k] = beta[k] * v[k] + x
                if kind == 2 and delay == 1 and fired[k]:
                    v[k] -= threshold[k]
                if kind >= 3 and fired[k]:
                    v[k] = v_reset[k]
                s = kind != 0 and ready and v[k] > threshold[k] and not (kind == 4 and fired[k])
                margin[sample, t, k] = abs(v[k] - threshold[k]) if ready else np.inf
                if s and delay == 0:
                    if kind == 2:
                        v[k] -= threshold[k]
                    else:
                        v[k] = v_reset[k]
                fired[k] = s or (kind == 4 and fired[k])
                spikes[sample, t, k] = s
                membrane[sample, t, k] = v[k]
