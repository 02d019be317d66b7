"""How long before its peak a membrane crosses the threshold, as a function of peak / threshold alone.

With g = tau_syn / tau_mem, the membrane around its peak has one shape: a time z (unit tau_syn) before the peak it is
the peak times

    phi(z) = (exp(g z) - g exp(z)) / (1 - g),        g = 1:  phi(z) = (1 - z) exp(z).

So y = ln(peak / threshold) fixes z: ln phi(z) = -y, 0 <= z. With p = 1 - exp(-l) = g (exp((1 - g) z) - 1) / (1 - g)

    ln phi = g / (1 - g) ln(1 + (1 - g) p / g) - l,        d ln phi / dl = -p / (g + (1 - g) p).

ln phi is concave and decreasing in l, so Newton's steps in l reach the root from any start. g = 1 is Lambert's W
(z = 1 + W0(-exp(-1 - y)), one step of Fritsch, Shafer and Crowley, CACM 16 (1973) 123); g = 1/2 and g = 2 are
quadratic equations.
"""

from __future__ import annotations

import torch
from torch import Tensor

# z = sum c_k s^k solves z + ln(1 - z) = -s^2 / 2 (k = 1, 2, ...); it converges for |s| < 2 sqrt(pi).
BRANCH_SERIES = (
    1.0,
    -1 / 3,
    1 / 36,
    1 / 270,
    1 / 4320,
    -1 / 17010,
    -139 / 5443200,
    -1 / 204120,
    -571 / 2351462400,
)
SERIES_ALONE_BELOW = 0.15  # in s; the first neglected term is below 1e-14 there
SERIES_START_BELOW = 1.8  # in s; beyond, the start is the expansion of W for small arguments
NEWTON_STEPS = 64


def time_before_peak(log_peak: Tensor, conductance: float) -> Tensor:
    """Return z >= 0 with ln phi(z) = -log_peak.

    Args:
        log_peak: y = ln(peak / threshold) >= 0, any shape.
        conductance: g = tau_syn / tau_mem.
    """
    if conductance == 1.0:
        return _lambert(log_peak)
    if conductance == 0.5:
        return 2 * torch.log1p(torch.sqrt(-torch.expm1(-log_peak)))
    if conductance == 2.0:
        return torch.log1p(torch.sqrt(-torch.expm1(-log_peak)))
    return _newton(log_peak, conductance)


def _lambert(log_peak: Tensor) -> Tensor:
    s = torch.sqrt(2 * log_peak)
    series = torch.zeros_like(s)
    for coefficient in reversed(BRANCH_SERIES):
        series = (series + coefficient) * s
    q = torch.exp(-1 - log_peak)
    rest = torch.where(s < SERIES_START_BELOW, 1 - series, q * (1 + q * (1 + q * (1.5 + q * (8 / 3)))))
    rest = rest.clamp(min=torch.finfo(s.dtype).tiny)  # rest = 1 - z = -W
    z = 1 - rest
    residual = rest - torch.log(rest) - 1 - log_peak
    curve = 2 * z * (z + residual * (2 / 3))
    step = residual / z * (curve - residual) / (curve - 2 * residual)
    return torch.where(s < SERIES_ALONE_BELOW, series, 1 - rest * (1 + step))


def _newton(log_peak: Tensor, g: float) -> Tensor:
    """Newton's steps in l = -ln(1 - p), until none moves."""
    level = torch.sqrt(log_peak * (log_peak + 2 * g))
    tolerance = 4 * torch.finfo(level.dtype).eps
    for _ in range(NEWTON_STEPS):
        p = -torch.expm1(-level)
        residual = torch.log1p((1 - g) / g * p) * (g / (1 - g)) - level + log_peak
        slope = p / (g + (1 - g) * p)
        step = torch.where(p > 0, residual / torch.where(p > 0, slope, 1), 0)
        level = (level + step).clamp(min=0)
        if not bool((step.abs() > tolerance * (1 + level)).any()):
            break
    return torch.log1p((1 - g) / g * -torch.expm1(-level)) / (1 - g)
