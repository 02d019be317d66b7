"""What steps and widths cost a trained first-spike network: accuracy by dt, rounding rule of decays, and weight bits.

python benchmarks/first_spike_steps.py outputs/latest/best.ckpt
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

from lightning_neuro.checkpoint import load_record
from lightning_neuro.graph.calibrate import quantize_network
from lightning_neuro.graph.evaluate import accuracy
from lightning_neuro.graph.first_spike_steps import Decay, Discretisation
from lightning_neuro.graph.lower import lower
from lightning_neuro.graph.widths import FIRST_SPIKE_SPEC
from lightning_neuro.in_steps import in_steps

WEIGHT_BITS = (5, 6, 7, 8, 10)
STEPS_PER_TAU = (8, 16, 32, 64, 128)


def main(path: Path) -> None:
    """Print one table for the weights, one for the steps."""
    record = load_record(path)
    inputs = record.evaluation
    if inputs is None:
        sys.exit(f"{path} holds no evaluation samples")
    graph = lower(record.graph, record.metadata)
    print(f"analytic: {100 * (accuracy(graph, inputs, 'event') or 0):.2f} % of {len(inputs)} samples")
    rounded = {}
    for bits in WEIGHT_BITS:
        spec = dataclasses.replace(FIRST_SPIKE_SPEC, weight_bits=bits)
        blind, chosen = (quantize_network(graph, spec, data)[0] for data in (None, record.calibration))
        rounded[bits] = spec, chosen
        shares = [100 * (accuracy(g, inputs, "event") or 0) for g in (blind, chosen)]
        print(f"  {bits:2d}-bit weights: {shares[0]:.2f} % by least squares, {shares[1]:.2f} % by calibration")
    for per_tau in STEPS_PER_TAU:
        cells = []
        for decay in Decay:
            how = Discretisation(decay=decay, dt_s=None, steps_per_tau=per_tau, relays=False)
            spec, chosen = rounded[FIRST_SPIKE_SPEC.weight_bits]
            steps = in_steps(graph, chosen, spec, how, None)
            real = 100 * (accuracy(steps.real_graph, inputs, "real") or 0)
            cells.append(f"{decay.value} decays {real:.2f} %")
            if decay is Decay.SHIFT:
                cells.append(f"in integers {100 * (accuracy(steps.graph, inputs, 'fixed') or 0):.2f} %")
        print(f"  {per_tau:3d} steps in a time constant: {', '.join(cells)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
