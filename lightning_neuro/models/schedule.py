"""Learning-rate schedules, per optimizer step, as pure functions of the progress 0..1."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from lightning_neuro.neurons.lif import check_choice

WARM_UP = 0.2


def one_cycle(progress: float) -> float:
    """Return the factor on the learning rate: up from 1/25 to 1 in 20 % of the steps, down to 0 in the rest.

    Half cosines, after Smith and Topin, Super-Convergence, arXiv:1708.07120.

    >>> one_cycle(0.0), one_cycle(0.2), round(one_cycle(1.0), 6)
    (0.04, 1.0, 0.0)
    """
    if progress < WARM_UP:
        return 0.04 + 0.96 * (1 - math.cos(math.pi * progress / WARM_UP)) / 2
    return cosine((progress - WARM_UP) / (1 - WARM_UP))


def cosine(progress: float) -> float:
    """Return the factor on the learning rate: half a cosine, 1 to 0 (arXiv:1608.03983)."""
    return (1 + math.cos(math.pi * min(progress, 1.0))) / 2


def constant(progress: float) -> float:
    """Return 1."""
    return 1.0


SCHEDULES: dict[str, Callable[[float], float]] = {
    "one_cycle": one_cycle,
    "cosine": cosine,
    "constant": constant,
}


def make_schedule(name: str, optimizer: Optimizer, steps: int) -> Any:
    """Return what ``configure_optimizers`` returns: the optimizer and its schedule over ``steps`` steps.

    The schedule is a function of the step alone: a resumed run with more epochs follows the longer one.

    Args:
        name: a key of ``SCHEDULES``.
        optimizer: to be scheduled.
        steps: optimizer steps of the whole training.

    Raises:
        ConfigError: the name is unknown.
    """
    check_choice("schedule", name, tuple(SCHEDULES))
    factor = SCHEDULES[name]
    scheduler = LambdaLR(optimizer, lambda step: factor(step / max(steps, 1)))
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}
