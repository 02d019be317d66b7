"""The proof can fail: one changed number in the artefact is found, and the place named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lightning_neuro.graph.hardware_graph import HardwareGraph
from lightning_neuro.report import Outcome
from lightning_neuro.targets.base import TestVectors
from lightning_neuro.targets.fpga.verify import Subject, prove_bit_exact, prove_equivalence
from tests.targets.fpga.conftest import needs_ghdl, needs_icarus, target


def flip_first_digit(match: re.Match[str]) -> str:
    return f"{match[1]}{int(match[2], 16) ^ 1:x}{match[3]}"


MUTATIONS = {
    "weight": (r'(WEIGHTS_0 [^;]*?0 => x")([0-9a-f])([0-9a-f]*")', flip_first_digit, "hidden"),
    "leak": (r"(leak_shift +=> )3(,)", r"\g<1>2\g<2>", "hidden"),
    "threshold": (r"(THRESHOLDS_0 [^;]*others => )18", r"\g<1>19", "hidden"),
    "weight of the last layer": (r'(WEIGHTS_1 [^;]*?0 => x")([0-9a-f])([0-9a-f]*")', flip_first_digit, "output"),
    "threshold of the last layer": (r"(THRESHOLDS_1 [^;]*others => )18", r"\g<1>12", "output"),
}


def subject_of(graph: HardwareGraph, vectors: TestVectors, artefact: Path) -> Subject:
    layers = target(lanes=(4, 3)).plan(graph)
    return Subject(graph=graph, layers=layers, artefact=artefact, vectors=vectors, clock_mhz=100, timeout_s=120)


def mutate(artefact: Path, pattern: str, replacement: object) -> None:
    package = artefact / "rtl" / "network_pkg.vhd"
    text, count = re.subn(pattern, replacement, package.read_text(), count=1)  # type: ignore[call-overload]
    assert count == 1, f"{pattern} is not in the package"
    package.write_text(text)


@needs_ghdl
@pytest.mark.parametrize("what", MUTATIONS)
def test_changed_package_fails_and_names_the_place(
    what: str, small_graph: HardwareGraph, small_vectors: TestVectors, artefact: Path
) -> None:
    pattern, replacement, layer = MUTATIONS[what]
    mutate(artefact, pattern, replacement)
    check = prove_bit_exact(subject_of(small_graph, small_vectors, artefact)).check
    assert check.outcome is Outcome.FAILED
    assert re.search(rf"layer '{layer}', sample \d+, step \d+, neuron \d+: \w+ expected -?\d+, got -?\d+", check.detail)


@needs_ghdl
def test_unchanged_package_passes_and_counts_cycles(
    small_graph: HardwareGraph, small_vectors: TestVectors, artefact: Path
) -> None:
    proof = prove_bit_exact(subject_of(small_graph, small_vectors, artefact))
    assert proof.check.outcome is Outcome.PASSED
    assert proof.resources["cycles_per_sample"]["min"] > small_vectors.spikes.sum(axis=(1, 2)).min()  # type: ignore[index]


@needs_ghdl
def test_first_difference_is_the_first_in_time(
    small_graph: HardwareGraph, small_vectors: TestVectors, artefact: Path
) -> None:
    recorded = artefact / "testbench" / "expected_0.txt"
    lines = recorded.read_text().splitlines()
    sample, step, *values = lines[2].split()
    values[8] = str(int(values[8]) + 1)  # six spikes come first: membrane of neuron 2
    recorded.write_text("\n".join([*lines[:2], " ".join([sample, step, *values]), *lines[3:]]) + "\n")
    check = prove_bit_exact(subject_of(small_graph, small_vectors, artefact)).check
    assert "layer 'hidden', sample 0, step 2, neuron 2: membrane" in check.detail


@needs_ghdl
def test_wrong_output_stream_is_found(small_graph: HardwareGraph, small_vectors: TestVectors, artefact: Path) -> None:
    recorded = artefact / "testbench" / "expected_output.txt"
    recorded.write_text(recorded.read_text().replace("1 0 0", "0 0 0", 1))
    check = prove_bit_exact(subject_of(small_graph, small_vectors, artefact)).check
    assert check.outcome is Outcome.FAILED and "output stream" in check.detail


@needs_ghdl
def test_testbench_that_compares_too_little_does_not_pass(
    small_graph: HardwareGraph, small_vectors: TestVectors, artefact: Path
) -> None:
    stimulus = artefact / "testbench" / "stimulus.txt"
    runs, _, rest = stimulus.read_text().partition("\n")
    stimulus.write_text(f"{int(runs) - 1}\n{rest}")
    assert prove_bit_exact(subject_of(small_graph, small_vectors, artefact)).check.outcome is Outcome.FAILED


@needs_ghdl
@needs_icarus
def test_changed_package_fails_in_verilog_too(
    small_graph: HardwareGraph, small_vectors: TestVectors, artefact: Path
) -> None:
    mutate(artefact, *MUTATIONS["threshold"][:2])
    check = prove_equivalence(subject_of(small_graph, small_vectors, artefact)).check
    assert check.outcome is Outcome.FAILED and "layer 'hidden'" in check.detail


@needs_ghdl
def test_artefact_proves_itself_by_its_own_script(artefact: Path) -> None:
    import subprocess

    script = artefact / "testbench" / "run_ghdl.sh"
    assert subprocess.run(["sh", script], capture_output=True).returncode == 0
    mutate(artefact, *MUTATIONS["leak"][:2])
    assert subprocess.run(["sh", script], capture_output=True).returncode != 0
