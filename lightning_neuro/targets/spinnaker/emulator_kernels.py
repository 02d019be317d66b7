"""The neuron update of SpiNNaker's binaries in integers, compiled: signed 16.15 state that wraps at 32 bits.

Order within a step, as in ``IF_curr_exp.aplx`` and ``IF_curr_delta.aplx`` of sPyNNaker 7.4.1: ring buffer into the
synaptic input, membrane, threshold, reset, decay of the synaptic input. A product keeps its low 32 bits after the
binary point was moved, so it is cut off towards minus infinity and wraps where it does not fit.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Raw = NDArray[np.int64]


@njit(cache=True, nogil=True, inline="always")
def wrap(value: int) -> int:
    """The low 32 bits of a number, as a signed number."""
    return ((value + 0x80000000) & 0xFFFFFFFF) - 0x80000000


@njit(cache=True, nogil=True)
def advance_cells(
    excitation: NDArray[np.uint16],
    inhibition: NDArray[np.uint16],
    shift_exc: int,
    shift_inh: int,
    delta: bool,
    input_scale: int,
    syn_decay: Raw,
    syn_gain: Raw,
    resistance: Raw,
    mem_decay: Raw,
    offset: Raw,
    threshold: Raw,
    v_reset: Raw,
    refractory: int,
    v_of: Raw,
    exc_of: Raw,
    inh_of: Raw,
    wait_of: Raw,
    spikes: NDArray[np.uint8],
    membrane: Raw,
) -> int:
    """Advance neurons from a given state, which changes in place.

    Args:
        excitation, inhibition: ring buffers, [sample, step, neuron].
        shift_exc, shift_inh: left shifts from ring buffer to 16.15.
        delta: input acts for one step as a current times ``input_scale``; else it feeds an exponential synapse.
        input_scale: 1/dt in 16.15.
        syn_decay, syn_gain: [neuron], unsigned 0.32.
        resistance, mem_decay, offset, threshold, v_reset: [neuron], 16.15; the resting potential is 0.
        refractory: steps without update after a spike; negative: until the end of the sample.
        v_of, exc_of, inh_of, wait_of: membrane, synaptic inputs and refractory counter, [sample, neuron].
        spikes, membrane: what happened, [sample, step, neuron]; ``membrane`` may have no steps and is then not kept.

    Returns:
        How often the membrane or its asymptote left 16.15 and wrapped.
    """
    samples, steps, n = excitation.shape
    keep = membrane.shape[1] > 0
    overflows = 0
    for sample in range(samples):
        v, exc, inh, wait = v_of[sample], exc_of[sample], inh_of[sample], wait_of[sample]
        for t in range(steps):
            for k in range(n):
                arrived_exc = wrap(np.int64(excitation[sample, t, k]) << shift_exc)
                arrived_inh = wrap(np.int64(inhibition[sample, t, k]) << shift_inh)
                if delta:
                    current = wrap(arrived_exc * input_scale >> 15) - wrap(arrived_inh * input_scale >> 15)
                else:
                    exc[k] = wrap(exc[k] + (arrived_exc * syn_gain[k] >> 32))
                    inh[k] = wrap(inh[k] + (arrived_inh * syn_gain[k] >> 32))
                    current = exc[k] - inh[k]
                if wait[k] != 0:
                    wait[k] -= 1
                else:
                    exact = (wrap(current + offset[k]) * resistance[k]) >> 15
                    asymptote = wrap(exact)
                    distance = asymptote - v[k]
                    overflows += exact != asymptote or distance != wrap(distance)
                    v[k] = wrap(asymptote - wrap(wrap(distance) * mem_decay[k] >> 15))
                fired = v[k] >= threshold[k]
                if fired:
                    v[k] = v_reset[k]
                    wait[k] = refractory
                if not delta:
                    exc[k] = exc[k] * syn_decay[k] >> 32
                    inh[k] = inh[k] * syn_decay[k] >> 32
                spikes[sample, t, k] = fired
                if keep:
                    membrane[sample, t, k] = v[k]
    return overflows
