"""``lightning-neuro train``: the same as ``python train.py``, from any folder."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def train_main(arguments: Sequence[str]) -> None:
    """Entry point of ``lightning-neuro train``."""
    from lightning_neuro.train import main  # imported late: Lightning takes seconds

    sys.argv = ["train", *arguments]  # where Hydra looks
    main()
