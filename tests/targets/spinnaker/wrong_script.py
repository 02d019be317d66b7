"""A PyNN script whose mistakes a virtual board accepts without a word. One source per mistake; run by the tests."""

from __future__ import annotations

from typing import Any

import numpy as np


def build(sim: Any, grid: Any) -> None:
    """Five networks, each with one mistake, named after it."""

    def source(name: str, size: int, **options: Any) -> Any:
        return sim.Population(size, sim.SpikeSourceArray(spike_times=[[1.0]] * size), label=name, **options)

    def cells(name: str, size: int, kind: Any = sim.IF_curr_exp, **options: Any) -> Any:
        return sim.Population(size, kind(), label=name, max_expected_summed_weight=[4.0, 4.0], **options)

    def connect(pre: Any, post: Any, weights: list[float], delay: float = 1.0) -> None:
        i = np.arange(len(weights))
        rows = np.column_stack((i, i, weights, np.full(len(weights), delay)))
        sim.Projection(pre, post, sim.FromListConnector(rows, column_names=["weight", "delay"]))

    connect(source("signs_in", 3), cells("signs", 3), [0.5, -0.5, 1.0])
    connect(source("wide_in", 3), cells("wide", 3), [0.5, 7.9, 20.0])
    connect(source("hasty_in", 2), cells("hasty", 2), [0.5, 0.5], delay=0.2)
    maps = source("delta_in", 16, **grid), cells("delta", 16, sim.IF_curr_delta, **grid)
    sim.Projection(*maps, sim.ConvolutionConnector(np.full((1, 1), 0.5)), sim.Convolution())
    connect(source("crowd_in", 200), cells("crowd", 200), [0.5] * 200)


def main() -> None:
    """Map the five networks."""
    import pyNN.spiNNaker as sim
    from pyNN.space import Grid2D

    sim.setup(timestep=1.0)
    build(sim, {"structure": Grid2D(1.0), "neurons_per_core": (4, 4)})
    sim.run(5.0)
    sim.end()


if __name__ == "__main__":
    main()
