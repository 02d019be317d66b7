from collections.abc import Callable
from typing import Any

import pytest

from lightning_neuro.report import (
    Accuracy,
    Check,
    GraphSummary,
    Outcome,
    PopulationSummary,
    Report,
    Source,
)


def check(name: str, outcome: Outcome, detail: str = "") -> Check:
    return Check(
        name=name,
        outcome=outcome,
        expected="0 mismatches",
        got={Outcome.PASSED: "0 mismatches", Outcome.FAILED: "12 mismatches", Outcome.SKIPPED: None}[outcome],
        detail=detail,
        seconds=1.5,
    )


PASSED = check("ghdl_bit_exact", Outcome.PASSED)
FAILED = check("verilog_equals_vhdl", Outcome.FAILED, "first difference: layer hidden, step 5, neuron 17")
SKIPPED = check("yosys_synthesis", Outcome.SKIPPED, "yosys is not installed; apt-get install yosys")

HIDDEN = PopulationSummary(
    name="hidden", size=128, neuron="Lif", reset="zero, delay 0", fan_in=64, weight_bits=6, state_bits=12,
    spikes_per_sample=211.4,
)  # fmt: skip


@pytest.fixture
def make_report() -> Callable[..., Report]:
    def make(*checks: Check, **changes: Any) -> Report:
        fields: dict[str, Any] = {
            "target": "fpga",
            "source": Source(path="outputs/demo/best.ckpt", sha256="ab" * 32),
            "graph": GraphSummary(sha256="cd" * 32, populations=(HIDDEN,)),
            "accuracy": Accuracy(
                float_=0.98, quantized=0.975, artefact=1.0, samples=360, artefact_samples=20
            ),
            "checks": checks,
            "resources": {"LUT": 1646, "cycles": {"min": 612, "median": 840.0, "max": 1121}},
            "assumptions": ("the clock is not confirmed by a timing analysis",),
            "seconds": {"ghdl": 8.25},
        }
        return Report(**{**fields, **changes})

    return make
