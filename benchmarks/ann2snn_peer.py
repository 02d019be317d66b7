"""spikingjelly's conversions of the same networks; run by ``ann2snn.py`` with the Python of the peer's environment.

    python benchmarks/ann2snn_peer.py FOLDER NETWORK SEEDS

Writes one JSON line per mode to standard output.
"""

from __future__ import annotations

import copy
import json
import logging
import sys
import time
from pathlib import Path

import torch
from ann2snn_networks import STEPS, accuracy, trained
from spikingjelly.activation_based import ann2snn, functional
from torch import nn

logging.disable(logging.WARNING)
MODES = {
    "max": {"mode": "max"},
    "99.9%": {"mode": "99.9%"},
    "99%": {"mode": "99%"},
    "1/2": {"mode": 1 / 2},
    "1/3": {"mode": 1 / 3},
    "1/4": {"mode": 1 / 4},
    "channel 99.9%": {"mode": "99.9%", "channel_wise": True},
    "channel 99.9% + half": {"mode": "99.9%", "channel_wise": True, "half_threshold": True},
    "channel max + half": {"mode": "max", "channel_wise": True, "half_threshold": True},
    "LTB": None,
}


def convert(network: nn.Module, loader: object, options: dict | None) -> nn.Module:
    if options is None:
        recipe = ann2snn.LocalThresholdBalancingRecipe(dataloader=loader)
    else:
        recipe = ann2snn.RateCodingRecipe(dataloader=loader, **options)
    return ann2snn.Converter(recipe=recipe).convert(copy.deepcopy(network))


def main(folder: Path, name: str, seeds: int) -> None:
    torch.set_num_threads(1)
    for mode, options in MODES.items():
        rows, converting, running = [], 0.0, 0.0
        for seed in range(seeds):
            network, data = trained(name, seed, nn.ReLU, folder / f"{name}{seed}.pt")
            start = time.process_time()
            spiking = convert(network, data.calibration(), options)
            converting += time.process_time() - start
            functional.reset_net(spiking)
            start, total, found = time.process_time(), 0.0, []
            with torch.no_grad():
                for step in range(1, STEPS[-1] + 1):
                    total = total + spiking(data.test)
                    if step in STEPS:
                        found.append(accuracy(total.argmax(1), data.test_labels))
            running += time.process_time() - start
            rows.append(found)
        means = [sum(column) / seeds for column in zip(*rows, strict=True)]
        print(json.dumps({"mode": mode, "accuracy": means, "convert": converting / seeds, "run": running / seeds}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
