"""Silences messages a user can do nothing about; everything else stays."""

from __future__ import annotations

import logging
import warnings

# pattern of the message: why nobody needs it
POINTLESS: dict[str, str] = {
    r".*does not have many workers.*": "data are in memory; worker processes would be slower",
    r".*`?torch\.jit\.script`? is deprecated.*": "raised by Norse when it is imported",
    r".*isinstance\(treespec, LeafSpec\).*": "inside Lightning and torch",
    r".*[Cc]heckpoint directory .* exists and is not empty.*": "the run folder holds config.yaml already",
    r".*Experiment logs directory .* exists and is not empty.*": "the run folder holds config.yaml already",
    r".*The dirpath has changed from.*": "a resumed run has its own folder and its own best epoch",
    r".*GPU available but not used.*": "the configuration says which device to use",
    r".*is `None`\. Did you forget to call.*": "inside Lightning's progress bar",
    r".*number of training batches .* smaller than the logging interval.*": "losses are logged per epoch",
    r".*will be sampled by the (?:train|val|test)_dataloader.*": "evaluation order does not matter",
}


def quiet() -> None:
    """Filter the messages in ``POINTLESS`` and Lightning's banners."""
    for pattern in POINTLESS:
        warnings.filterwarnings("ignore", message=pattern)
    for name in (
        "pytorch_lightning.utilities.rank_zero",
        "pytorch_lightning.accelerators.cuda",
        "lightning_fabric.utilities.distributed",
    ):
        logging.getLogger(name).setLevel(logging.WARNING)
