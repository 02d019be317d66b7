"""Record what the binaries of sPyNNaker 7.4.1 compute: ``python record_binaries.py``, needs sPyNNaker and unicorn.

The instructions of the shipped programs for exp, for the synaptic input and for the update of a neuron are run in an
ARM emulator on random numbers; addresses belong to exactly these files. What comes out is ``binaries.json``, which
``test_binaries`` compares with our own arithmetic.
"""

from __future__ import annotations

import hashlib
import json
import random
import struct
from importlib import import_module
from pathlib import Path
from typing import Any

SHA256 = {
    "IF_curr_exp": "acd257c9da6fa23c8995a080aeadd591182716cc0f8b6f2b26a1fbbdc15bc556",
    "IF_curr_delta": "9e991ac64c9eebc2f34a53e93ff667bad9b3ef112a16d4d91ac1605fd660dbcd",
}
NEURON, SYNAPSE, THRESHOLD, STACK, RETURN = 0x410000, 0x411000, 0x412000, 0x41E000, 0xFFF0
EXPK, EXPULR = 0x4DD8, 0x4E1C  # exp in 16.15 and in 0.32
ADD_INPUT, ADDED = 0x29F0, 0x29C4  # a ring buffer into a synapse
UPDATE, QUIET, SPIKE, SHAPED = 0x2540, 0x2568, 0x262C, 0x259C  # a neuron with exponential synapses
DELTA_UPDATE, DELTA_QUIET, DELTA_SPIKE = 0x24D0, 0x24A4, 0x2554  # outside its refractory period
V, REFRACTORY_LEFT, V_RESET, REFRACTORY = 0, 5, 6, 7  # words of a neuron


class Core:
    """A program in memory, and single calls of its parts."""

    def __init__(self, name: str) -> None:
        self.unicorn, self.arm = import_module("unicorn"), import_module("unicorn.arm_const")
        folder = next(iter(import_module("spynnaker.pyNN.model_binaries").__path__))
        content = Path(folder, f"{name}.aplx").read_bytes()
        assert hashlib.sha256(content).hexdigest() == SHA256[name], f"{name}.aplx is not that of sPyNNaker 7.4.1"
        _, _, start, length, _, _, data_start, data_length = struct.unpack("<8I", content[:32])
        self.cpu = self.unicorn.Uc(self.unicorn.UC_ARCH_ARM, self.unicorn.UC_MODE_ARM)
        self.cpu.mem_map(0, 0x10000)
        self.cpu.mem_write(0, content[start : start + length])
        self.cpu.mem_map(0x400000, 0x20000)
        self.cpu.mem_write(0x400000, content[16 + data_start : 16 + data_start + data_length])

    def run(self, start: int, stops: set[int], **registers: int) -> int:
        """Run from an address until one of some others; return that one."""
        for name, value in {"sp": STACK, "lr": RETURN, **registers}.items():
            self.cpu.reg_write(getattr(self.arm, f"UC_ARM_REG_{name.upper()}"), value & 0xFFFFFFFF)
        reached: list[int] = []

        def watch(cpu: Any, address: int, size: int, data: object) -> None:
            if address in stops and address != start:
                reached.append(address)
                cpu.emu_stop()

        hook = self.cpu.hook_add(self.unicorn.UC_HOOK_CODE, watch)
        self.cpu.emu_start(start, RETURN)
        self.cpu.hook_del(hook)
        return reached[0] if reached else RETURN

    def call(self, start: int, value: int) -> int:
        """A function of one number."""
        self.run(start, set(), r0=value)
        return self.cpu.reg_read(self.arm.UC_ARM_REG_R0)

    def put(self, address: int, *words: int) -> None:
        """Write 32-bit words."""
        self.cpu.mem_write(address, struct.pack(f"<{len(words)}I", *(w & 0xFFFFFFFF for w in words)))

    def get(self, address: int, count: int) -> list[int]:
        """Read signed words."""
        return list(struct.unpack(f"<{count}i", bytes(self.cpu.mem_read(address, 4 * count))))

    def reset_neuron(self) -> None:
        """What both programs do after a spike."""
        words = self.get(NEURON, 8)
        words[V], words[REFRACTORY_LEFT] = words[V_RESET], words[REFRACTORY]
        self.put(NEURON, *words)


def step_exponential(core: Core, case: dict[str, Any], arrived: tuple[int, int]) -> list[int]:
    """One step of ``IF_curr_exp``: spike, membrane, both synaptic inputs after their decay."""
    for receptor, counts in enumerate(arrived):
        if counts:
            core.run(ADD_INPUT, {ADDED}, r2=counts, r8=case["shifts"][receptor], lr=receptor, r0=SYNAPSE)
    synapse = core.get(SYNAPSE, 6)
    core.put(STACK + 0xC, synapse[5], THRESHOLD)
    spiked = core.run(UPDATE, {QUIET, SPIKE}, r8=NEURON, r6=SYNAPSE, r5=synapse[2], r7=0) == SPIKE
    if spiked:
        core.reset_neuron()
    core.run(QUIET, {SHAPED}, r6=SYNAPSE, r11=5)
    synapse = core.get(SYNAPSE, 6)
    return [int(spiked), core.get(NEURON, 1)[0], synapse[2], synapse[5]]


def step_delta(core: Core, case: dict[str, Any], arrived: tuple[int, int]) -> list[int]:
    """One step of ``IF_curr_delta``."""
    words = core.get(NEURON, 8)
    if words[REFRACTORY_LEFT] > 0:
        words[REFRACTORY_LEFT] -= 1
        core.put(NEURON, *words)
        spiked = words[V] >= case["threshold"]
    else:
        core.put(STACK + 8, *(counts << shift for counts, shift in zip(arrived, case["shifts"], strict=True)))
        core.put(STACK + 0x14, THRESHOLD)
        core.put(STACK + 0x20, case["input_scale"])
        stop = core.run(DELTA_UPDATE, {DELTA_QUIET, DELTA_SPIKE}, r11=NEURON, r7=0, r5=0)
        spiked = stop == DELTA_SPIKE
    if spiked:
        core.reset_neuron()
    return [int(spiked), core.get(NEURON, 1)[0], 0, 0]


def draw(rng: random.Random, delta: bool, steps: int) -> dict[str, Any]:
    """Random constants and inputs; some overflow on purpose."""
    decay, most = rng.randrange(1000, 32767), rng.choice([200, 5000, 65535])
    shifts = [rng.randrange(13), rng.randrange(13)]
    threshold = int(rng.uniform(0.2, 2) * (most << max(shifts))) % 2**31 + 1
    return {
        "delta": delta,
        "mem_decay": decay,
        "resistance": 2**30 // (32768 - decay) if delta else rng.randrange(20000, 32768 * 20),
        "offset": rng.choice([0, 0, rng.randrange(-5000, 5000)]),
        "syn_decay": rng.randrange(2**28, 2**32 - 2**24),
        "syn_gain": rng.randrange(2**30, 2**32),
        "shifts": shifts,
        "input_scale": rng.choice([32768, 327660]),
        "refractory": rng.choice([0, 0, 1, 3]),
        "threshold": threshold,
        "v_reset": rng.choice([0, -threshold // 5, threshold // 7]),
        "exc": [rng.randrange(most + 1) if rng.random() < 0.5 else 0 for _ in range(steps)],
        "inh": [rng.randrange(most // 2 + 1) if rng.random() < 0.4 else 0 for _ in range(steps)],
    }


def record_case(case: dict[str, Any]) -> dict[str, Any]:
    """The case with what its program did: spike, membrane, excitatory and inhibitory input of every step."""
    core = Core("IF_curr_delta" if case["delta"] else "IF_curr_exp")
    words = (case["resistance"], case["mem_decay"], case["offset"], 0, case["v_reset"], case["refractory"])
    core.put(NEURON, 0, 0, *words)
    core.put(SYNAPSE, *(case["syn_decay"], case["syn_gain"], 0) * 2)
    core.put(THRESHOLD, case["threshold"])
    step = step_delta if case["delta"] else step_exponential
    return {**case, "steps": [step(core, case, both) for both in zip(case["exc"], case["inh"], strict=True)]}


def main() -> None:
    """Record everything."""
    rng = random.Random(5)
    core = Core("IF_curr_exp")
    xs = sorted({1, 2, 3, 32768, 340695, 340696, *(int(1.04**k) for k in range(320) if 1.04**k < 345000)})
    exps = [[x, core.call(EXPK, -x), core.call(EXPULR, -x)] for x in xs]
    cases = [record_case(draw(rng, bool(k % 2), 30)) for k in range(24)]
    text = json.dumps({"exp": exps, "cases": cases}, separators=(",", ":")).replace('},{"delta"', '},\n{"delta"')
    Path(__file__).with_name("binaries.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
