"""Writes ``jaxsnn.json``: spike times of random networks as jaxsnn 0.3.0 finds them, for ``test_emulator_jaxsnn``.

jaxsnn (github.com/electronicvisions/jaxsnn, on PyPI) solves the same neurons with other methods: Lambert's W for equal
time constants, a quadratic equation where the membrane is twice as slow. Run it in an environment of its own:

    pip install jaxsnn==0.3.0 && python tests/targets/brainscales/record_jaxsnn.py
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

FILE = Path(__file__).with_name("jaxsnn.json")
SCALE, THRESHOLD, TAU_SYN_US, SAMPLE_US = 20.0, 1.0, 6.0, 80.0
SIZES = (6, 10, 4)
SAMPLES = 6


def networks() -> list[dict]:
    """Random networks with weights in LSB [post, pre], and their input spikes [sample, line] in microseconds."""
    cases = []
    for seed, tau_mem_us in enumerate((6.0, 6.0, 12.0, 12.0)):
        random = np.random.default_rng(seed)
        weights = [
            np.clip(np.rint(random.normal(mean * tau_mem_us / TAU_SYN_US, 12.0, (post, pre))), -63, 63)
            .astype(int)
            .tolist()
            for pre, post, mean in zip(SIZES[:-1], SIZES[1:], (12.0, 6.0), strict=True)
        ]
        inputs = random.uniform(0.5, 14.0, (SAMPLES, SIZES[0])).round(3).tolist()
        cases.append({"tau_mem_us": tau_mem_us, "weights": weights, "inputs": inputs})
    return cases


def spikes_of(case: dict) -> list[list[list[list[float]]]]:
    """Spikes by layer and sample: pairs of neuron and microseconds, as jaxsnn finds them."""
    import jax
    import jax.numpy as jnp
    from jaxsnn.event.modules import LIF, Linear, Source
    from jaxsnn.event.modules.lif import LIFParameters
    from jaxsnn.event.topology import Topology
    from jaxsnn.event.types import Spike

    jax.config.update("jax_enable_x64", True)
    constants = LIFParameters(tau_syn=TAU_SYN_US, tau_mem=case["tau_mem_us"], v_th=THRESHOLD)
    topology, modules, edges, before = Topology(t_max=SAMPLE_US), {"input": Source(SIZES[0])}, [], "input"
    for number, (weights, steps) in enumerate(zip(case["weights"], (80, 200), strict=True)):
        modules[f"w{number}"] = Linear(pre_weights=jnp.asarray(np.array(weights).T / SCALE))
        modules[f"l{number}"] = LIF(size=len(weights), n_steps=steps, params=constants)
        edges += [(before, f"w{number}"), (f"w{number}", f"l{number}")]
        before = f"l{number}"
    topology.add(modules)
    topology.connect(edges)
    initial, run = topology.done()
    times = np.array(case["inputs"])
    order = times.argsort(1)
    shape = times.shape
    events = Spike(
        time=jnp.asarray(np.take_along_axis(times, order, 1)),
        idx=jnp.asarray(order),
        current=jnp.zeros(shape),
        layer_idx=jnp.zeros(shape, int),
        internal=jnp.ones(shape, bool),
    )
    found = jax.jit(run)({"input": events}, initial(jax.random.PRNGKey(0)))
    result = []
    for number in range(len(case["weights"])):
        layer = found[f"l{number}"]
        assert bool((layer.idx[:, -1] == -1).all()), "more events than steps"
        rows = [np.asarray(a) for a in (layer.internal, layer.idx, layer.time)]
        result.append(
            [
                [[int(n), round(float(t), 7)] for k, n, t in zip(*(row[s] for row in rows), strict=True) if k]
                for s in range(SAMPLES)
            ]
        )
    return result


if __name__ == "__main__":
    FILE.write_text(json.dumps([case | {"spikes": spikes_of(case)} for case in networks()]) + "\n")
