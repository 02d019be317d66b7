"""Record where the program of sPyNNaker 7.4.1 sends spikes of a convolution: ``python record_convolutions.py``.

Needs sPyNNaker and unicorn. ``IF_curr_exp_conv.aplx`` runs in an ARM emulator on random geometry, one spike at a time;
addresses belong to exactly this file. What it adds to its ring buffers is ``convolutions.json``, which
``test_convolutions`` compares with our reading of a connector.
"""

from __future__ import annotations

import json
import random
import struct
import sys
from pathlib import Path
from typing import Any

PROGRAM = "IF_curr_exp_conv"
SHA256 = "8cfe9d3d417f9f3880c2373bc263fc52d8555265d6d1b4ee637a38baba59d0d1"
PROCESS_SPIKE = 0x2B18  # (time, spike, ring buffers)
LITERALS = 0x2FC0  # addresses of the globals, of the bits of neuron and receptor, of a neuron, of the delay mask
CONFIG, RING = 0x410000, 0x418000
NEURON_BITS, DELAY_SLOTS = 7, 4
COLOUR_BITS = 4
GRID = 7  # most rows and columns


def divisor(value: int) -> int:
    """A division by a constant, as sPyNNaker packs it."""
    bits = (value - 1).bit_length()
    return max(bits - 1, 0) << 24 | min(bits, 1) << 16 | ((((1 << bits) - value) << 16) // value + 1)


def draw(rng: random.Random) -> dict[str, Any]:
    """Random geometry: even and odd kernels, strides, padding, pooling."""
    kernel = [rng.randrange(1, 5), rng.randrange(1, 5)]
    return {
        "source": [rng.randrange(3, GRID + 1), rng.randrange(3, GRID + 1)],  # rows, columns
        "target": [rng.randrange(3, GRID + 1), rng.randrange(3, GRID + 1)],
        "kernel": kernel,
        "padding": [rng.randrange(3), rng.randrange(3)],
        "stride": [rng.choice([1, 1, 1, 2, 3]), rng.choice([1, 1, 1, 2, 3])],
        "pool": [rng.choice([1, 1, 2, 3]), rng.choice([1, 1, 2, 3])],
        "delay": rng.randrange(1, DELAY_SLOTS),
        "weights": [rng.randrange(-900, 900) for _ in range((kernel[0] + 1) * (kernel[1] + 1))],  # and what lies behind
    }


def connector_words(case: dict[str, Any]) -> list[int]:
    """One connector, as ``ConvolutionConnector.get_local_only_data`` packs it."""
    shorts = [*case["kernel"], *case["padding"], 0, 1, 0, case["delay"], 0, 0]
    packed = struct.unpack("<5I", struct.pack("<10H", *shorts))
    return [*packed, *(divisor(n) for n in (*case["stride"], *case["pool"]))]


def region(case: dict[str, Any]) -> bytes:
    """Memory of a core with one source on one core and one connector, as ``LocalOnlyConvolution`` writes it."""
    (rows, columns), (height, width) = case["target"], case["source"]
    post = struct.pack("<6h3I", 0, 0, rows - 1, columns - 1, rows, columns, 1, 1, len(case["weights"]))
    source = [
        0,
        0xFFFFFC00,
        1 << 16 | COLOUR_BITS << 13,
        0,
        width << 16 | height,
        width << 16 | height,
        1 << 16 | 1,
        divisor(width),
        divisor(width),
        divisor(1),
    ]
    words = struct.pack("<19I", *source, *connector_words(case))
    return post + words + struct.pack(f"<{len(case['weights'])}h", *case["weights"])


def record_case(core: Any, case: dict[str, Any]) -> list[list[int]]:
    """For every spike of the source what reached the ring buffers: spike, slot, receptor, neuron, weight."""
    core.cpu.mem_write(CONFIG, region(case) + bytes(64))
    shared, type_bits, neuron_bits, mask = core.get(LITERALS, 4)
    core.put(shared, CONFIG, CONFIG + 24 + 40, CONFIG + 24 + 40 + 36)
    core.put(type_bits, NEURON_BITS + 1)
    core.put(neuron_bits, NEURON_BITS)
    core.put(mask, DELAY_SLOTS - 1)
    size = DELAY_SLOTS << (NEURON_BITS + 1)
    found = []
    for spike in range(case["source"][0] * case["source"][1]):
        core.cpu.mem_write(RING, bytes(2 * size))
        core.run(PROCESS_SPIKE, set(), r0=0, r1=spike << COLOUR_BITS, r2=RING)
        ring = struct.unpack(f"<{size}H", bytes(core.cpu.mem_read(RING, 2 * size)))
        for index, weight in enumerate(ring):
            if weight:
                slot, rest = divmod(index, 1 << (NEURON_BITS + 1))
                found.append([spike, slot, *divmod(rest, 1 << NEURON_BITS), weight])
    return found


def main() -> None:
    """Record everything."""
    sys.path.insert(0, str(Path(__file__).parent))
    import record_binaries  # type: ignore[import-not-found]

    record_binaries.SHA256[PROGRAM] = SHA256
    rng = random.Random(7)
    cases = [draw(rng) for _ in range(24)]
    core = record_binaries.Core(PROGRAM)
    recorded = [{**case, "reached": record_case(core, case)} for case in cases]
    Path(__file__).with_name("convolutions.json").write_text(json.dumps(recorded, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
