"""Compiled crossing times inside the interval that the walk found; equations in ``first_spike_root``.

With r = threshold / peak, one form serves every g: the slope at the crossing is threshold p / (1 - p).
For g = 1, p = z solves (1 - z) exp(z) = r. It is analytic in sqrt(1 - r) on the whole of 0 <= r <= 1, so a polynomial
(Chebyshev interpolation in u = 2 sqrt(1 - r) - 1, error 2e-16) replaces Lambert's W.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from lightning_neuro.neurons.first_spike_root import NEWTON_STEPS

EQUAL_TIME_CONSTANTS = (
    0.5801313990259771,
    0.48249827732012607,
    -0.07580130831485447,
    0.016355445599228323,
    -0.004013459409228244,
    0.0010562201359663663,
    -0.0002904644081454625,
    8.232914016380122e-05,
    -2.3855207341786238e-05,
    7.0290840403446246e-06,
    -2.098673350513763e-06,
    6.333151721591214e-07,
    -1.9282496802966775e-07,
    5.913582441705708e-08,
    -1.820417806490534e-08,
    5.647876661927993e-09,
    -1.815147122559399e-09,
    5.684657707082287e-10,
    -1.3795667990911025e-10,
    4.334741552137859e-11,
    -3.080671113777507e-11,
    9.78866601199091e-12,
)
EXPONENTIAL = tuple(math.exp(0.5) / math.factorial(k) for k in range(15))  # of z - 1/2, 0 <= z <= 1; error 1e-16
LANES = 128
GRAZING = math.sqrt(np.finfo(np.float64).eps)  # see first_spike_torch._solve
SMALLEST = 1e-300  # peaks are at most so much higher than the threshold


@njit(cache=True, nogil=True, fastmath={"contract"})
def solve_equal(start, gap, current, climb, grown, threshold, spikes, slope):  # pragma: no cover - compiled
    """Fill spikes and slope for g = 1; ``grown`` is exp(climb). Loops over a few numbers vectorise."""
    ratio, u, z, grown_z = np.empty(LANES), np.empty(LANES), np.empty(LANES), np.empty(LANES)
    for base in range(0, len(start), LANES):
        width = min(LANES, len(start) - base)
        for n in range(width):
            ratio[n] = max(min(grown[base + n] * threshold[base + n] / current[base + n], 1.0), SMALLEST)
            u[n] = 2.0 * math.sqrt(1.0 - ratio[n]) - 1.0
            z[n] = 0.0
            grown_z[n] = 0.0
        for k in range(len(EQUAL_TIME_CONSTANTS) - 1, -1, -1):
            coefficient = EQUAL_TIME_CONSTANTS[k]
            for n in range(width):
                z[n] = z[n] * u[n] + coefficient
        for k in range(len(EXPONENTIAL) - 1, -1, -1):
            coefficient = EXPONENTIAL[k]
            for n in range(width):
                grown_z[n] = grown_z[n] * (z[n] - 0.5) + coefficient
        for n in range(width):
            spikes[base + n] = start[base + n] + min(max(climb[base + n] - z[n], 0.0), gap[base + n])
            slope[base + n] = threshold[base + n] * max(z[n], GRAZING) * grown_z[n] / ratio[n]


@njit(cache=True, nogil=True)
def solve_half(start, gap, current, climb, threshold, spikes, slope):  # pragma: no cover - compiled
    """Fill spikes and slope for g = 1/2, tau_mem = 2 tau_syn."""
    for n in range(len(start)):
        fall = 1.0 - 0.5 * climb[n]
        ratio = max(min(0.5 * threshold[n] / (current[n] * fall * fall), 1.0), SMALLEST)
        p = math.sqrt(1.0 - ratio)
        spikes[n] = start[n] + min(max(-2.0 * math.log(fall * (1.0 + p)), 0.0), gap[n])
        slope[n] = threshold[n] * max(p, GRAZING) * (1.0 + p) / ratio


@njit(cache=True, nogil=True)
def _level(y, g):  # pragma: no cover - compiled
    """-ln(1 - p) for ln(peak / threshold) = y, by Newton's steps."""
    level = math.sqrt(y * (y + 2.0 * g))
    for _ in range(NEWTON_STEPS):
        p = -math.expm1(-level)
        if not p > 0.0:
            break
        step = (math.log1p((1.0 - g) / g * p) * (g / (1.0 - g)) - level + y) * (g + (1.0 - g) * p) / p
        level = max(level + step, 0.0)
        if abs(step) <= 1e-15 * (1.0 + level):
            break
    return level


@njit(cache=True, nogil=True)
def solve_any(start, gap, current, climb, threshold, g, spikes, slope):  # pragma: no cover - compiled
    """Fill spikes and slope for g != 1."""
    for n in range(len(start)):
        peak = -math.log1p(-(1.0 - g) * climb[n]) / (1.0 - g)
        level = _level(max(math.log(current[n] / (g * threshold[n])) - peak, 0.0), g)
        p = -math.expm1(-level)
        before = math.log1p((1.0 - g) / g * p) / (1.0 - g)
        spikes[n] = start[n] + min(max(peak - before, 0.0), gap[n])
        slope[n] = threshold[n] * max(p, GRAZING) * math.exp(min(level, 690.0))
