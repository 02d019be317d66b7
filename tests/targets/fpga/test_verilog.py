"""The guard between GHDL's Verilog and the tools that believe it."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest

from lightning_neuro.graph.fixed import Format
from lightning_neuro.graph.hardware_graph import HardwareGraph, Lif, Population, Reset, ResetKind
from lightning_neuro.report import Outcome
from lightning_neuro.targets.fpga import ghdl
from lightning_neuro.targets.fpga.prove_verilog import prove_equivalence
from lightning_neuro.targets.fpga.prove_vhdl import prove_bit_exact
from lightning_neuro.targets.fpga.subject import Subject
from lightning_neuro.targets.fpga.verilog import split_memories, translation_defects
from tests.targets.fpga.conftest import job, needs_ghdl, needs_icarus, target
from tests.targets.fpga.networks import draw_vectors

COMPLETE = "case (a)\n 2'b00: b = 1;\n 2'b01: b = 2;\n 2'b10: b = 3;\n 2'b11: b = 4;\nendcase"


def test_case_that_names_every_value_or_has_a_default_is_right() -> None:
    assert translation_defects(COMPLETE, "") == ()
    assert translation_defects("case (a)\n 2'b00: b = 1;\n default: b = 2;\nendcase", "") == ()


def test_dropped_default_is_found() -> None:
    (defect,) = translation_defects(COMPLETE.replace(" 2'b11: b = 4;\n", ""), "")
    assert "case without default" in defect


def test_word_case_in_a_comment_is_no_case() -> None:
    assert translation_defects("// in case of doubt\n/* case endcase */ wire a;", "") == ()


@pytest.mark.parametrize("log", ["warning: Latch inferred for signal x", "Latches inferred", "inferring latch for y"])
def test_latch_in_the_log_is_found(log: str) -> None:
    assert len(translation_defects("", log)) == 1


def test_constant_written_as_a_string_is_found() -> None:
    assert len(translation_defects('assign a = "1010";', "")) == 1


def test_memories_move_to_files_with_the_same_contents() -> None:
    words = "    m[2] = 2'b11;\n    m[1] = 2'b01;\n    m[0] = 2'b10;\n"
    text = f"  reg [1:0] m[2:0] ; // memory\n  initial begin\n{words}    end\n"
    split = split_memories(text)
    assert split.files == {"memory_0.mem": "10\n01\n11\n"}
    assert '$readmemb("memory_0.mem", m);' in split.text and "2'b11" not in split.text


def test_incomplete_memory_stays_as_it_is() -> None:
    text = "  reg [1:0] m[2:0] ; // memory\n  initial begin\n    m[2] = 2'b11;\n    end\n"
    assert split_memories(text).text == text


@needs_ghdl
def test_seeded_case_others_is_caught_in_real_output(artefact: Path, tmp_path: Path) -> None:
    scanner = artefact / "rtl" / "neuron.vhd"
    text = scanner.read_text()
    seeded = re.sub(
        r"  spike <= spiked;",
        "  with std_logic_vector'(settle & spiked) select spike <= '1' when \"11\", '1' when \"01\", '0' when others;",
        text,
    )
    assert seeded != text
    scanner.write_text(seeded)
    run = ghdl.to_verilog(artefact, tmp_path, 60)
    assert any("case without default" in defect for defect in translation_defects(run.stdout, run.stderr))


@needs_ghdl
def test_rtl_translates_without_defects(artefact: Path, tmp_path: Path) -> None:
    run = ghdl.to_verilog(artefact, tmp_path, 60)
    assert translation_defects(run.stdout, run.stderr) == ()


def test_rtl_keeps_its_own_style_rules() -> None:
    for file in (Path(ghdl.__file__).parent / "rtl").glob("*.vhd"):
        code = re.sub(r"--[^\n]*", "", file.read_text())
        assert not re.search(r"\bcase\b|\bwith\b.*\bselect\b|shift_right", code.lower()), file.name
        names = set(re.findall(r"(?<!['.])\b[A-Za-z_]\w*", code))
        assert len(names) == len({name.lower() for name in names}), f"{file.name}: names differ by case only"


def test_memory_of_single_bits_moves_too() -> None:
    text = "  reg m[1:0] ; // memory\n  initial begin\n    m[1] = 1'b1;\n    m[0] = 1'b0;\n    end\n"
    assert split_memories(text).files == {"memory_0.mem": "0\n1\n"}


@needs_ghdl
@needs_icarus
@pytest.mark.parametrize("kind", [ResetKind.ZERO, ResetKind.SUBTRACT, ResetKind.ONCE])
def test_sums_wider_than_a_machine_word_keep_their_constants(
    small_graph: HardwareGraph, tmp_path: Path, kind: ResetKind
) -> None:
    """GHDL 2.0 writes constants of more than 32 bits as strings, which Verilog takes for text."""
    graph = with_state_bits(small_graph, 32, kind)
    layers = target(lanes=(4, 3)).plan(graph)
    assert max(layer.sum_bits for layer in layers) > 32
    vectors = draw_vectors(graph, np.random.default_rng(4), samples=2, steps=6)
    target(lanes=(4, 3)).write(job(graph, vectors), tmp_path)
    subject = Subject(graph=graph, layers=layers, artefact=tmp_path, vectors=vectors, clock_mhz=100, timeout_s=120)
    for prove in (prove_bit_exact, prove_equivalence):
        check = prove(subject).checks[0]
        assert check.outcome is Outcome.PASSED, check


def with_state_bits(graph: HardwareGraph, bits: int, kind: ResetKind) -> HardwareGraph:
    def widened(population: Population) -> Population:
        neuron, state = population.neuron, Format(bits=bits, lsb=0.25)
        assert isinstance(neuron, Lif)
        changed = dataclasses.replace(neuron, reset=Reset(kind=kind, delay=0))
        return dataclasses.replace(population, neuron=changed, state_format=state)

    return dataclasses.replace(graph, populations=tuple(widened(p) for p in graph.populations))
