"""Chains of layers in the chip's units, with random weights."""

from __future__ import annotations

import numpy as np

from lightning_neuro.graph.hardware_graph import ReadoutKind
from lightning_neuro.targets.brainscales.chip_network import ChipLayer, ChipNetwork, ChipProjection


def chip_layer(name: str, size: int, **changes: object) -> ChipLayer:
    constants = {
        "spiking": True,
        "tau_mem_us": 6.0,
        "tau_syn_us": 6.0,
        "threshold": 1.0,
        "v_leak": 0.0,
        "v_reset": 0.0,
        "refractory_us": 24.0,
        "weight_scale": 78.0,
    }
    return ChipLayer(name=name, size=size, **(constants | changes))  # type: ignore[arg-type]


def chip_chain(sizes: list[int], *, largest: int = 63, seed: int = 0) -> ChipNetwork:
    """A chain with weights of up to ``largest`` LSB, first size of the input."""
    rng = np.random.default_rng(seed)
    names = ["input", *(f"layer{k}" for k in range(1, len(sizes)))]
    return ChipNetwork(
        input="input",
        lines=sizes[0],
        layers=tuple(chip_layer(name, size) for name, size in zip(names[1:], sizes[1:], strict=True)),
        projections=tuple(
            ChipProjection(pre=pre, post=post, weights=rng.integers(-largest, largest + 1, (m, n)))
            for pre, post, n, m in zip(names, names[1:], sizes, sizes[1:], strict=False)
        ),
        output=names[-1],
        readout=ReadoutKind.FIRST_SPIKE,
        sample_us=24.0,
        gap_us=90.0,
        speedup=1000.0,
        notes=(),
    )
