"""Which process of a run writes and speaks, known before the processes have found each other; imports nothing heavy."""

from __future__ import annotations

import os

RANKS = ("RANK", "LOCAL_RANK", "SLURM_PROCID", "JSM_NAMESPACE_RANK")  # set by torchrun, Lightning, Slurm, LSF


def is_first() -> bool:
    """Whether this process is the first of its run.

    Whatever started it has set a variable with its number, as Lightning expects it; on further machines that may be the
    number of the machine alone.
    """
    rank = next((os.environ[name] for name in RANKS if name in os.environ), "0")
    return int(rank) == 0 and int(os.environ.get("NODE_RANK") or 0) == 0
