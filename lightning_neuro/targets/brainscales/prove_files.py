"""Proofs on paper: rules of the chip, the placement checked from scratch, scripts without the chip's software, NIR."""

from __future__ import annotations

import csv
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import nir
import numpy as np

from lightning_neuro.errors import ToolError, Violation
from lightning_neuro.report import Outcome
from lightning_neuro.targets.brainscales.analog_rules import ANALOG_RULES
from lightning_neuro.targets.brainscales.artefact import PLACEMENT
from lightning_neuro.targets.brainscales.constraints import STRUCTURE_RULES
from lightning_neuro.targets.brainscales.input_rules import check_inputs
from lightning_neuro.targets.brainscales.nir_profile import NIR, chain_of, nir_graph
from lightning_neuro.targets.brainscales.placement import CSV_COLUMNS, csv_rows
from lightning_neuro.targets.brainscales.placement_check import check_runs
from lightning_neuro.targets.brainscales.resource_rules import RESOURCE_RULES
from lightning_neuro.targets.brainscales.script import CALIBRATE, HXTORCH, PYNN
from lightning_neuro.targets.brainscales.subject import Subject
from lightning_neuro.targets.proofs import Proof, made, skipped
from lightning_neuro.tools import run_tool

CONSTRAINTS, PLACED = "hardware_constraints", "placement"
DRY_RUN, READ_BACK = "scripts_with_numpy_alone", "nir_read_back"
NONE_BROKEN = "0 broken rules"


def prove_constraints(subject: Subject) -> Proof:
    """Rules of the chip; the network was let through by those on itself, recorded inputs are judged here."""
    start = time.perf_counter()
    found = check_inputs(subject.prepared.network, subject.prepared.inputs)
    rules = len(STRUCTURE_RULES) + len(ANALOG_RULES) + len(RESOURCE_RULES)
    words = f"{rules} rules on network, voltages, times and resources, 2 on the recorded input spikes"
    return _rules(CONSTRAINTS, found, words, time.perf_counter() - start)


def prove_placement(subject: Subject) -> Proof:
    """placement.csv is the placement, and a checker that shares nothing with the search finds no rule broken."""
    start = time.perf_counter()
    prepared = subject.prepared
    found = check_runs(prepared.network, prepared.runs)
    written = [
        {key: str(value) for key, value in row.items()}
        for number, run in enumerate(prepared.runs)
        for row in csv_rows(number, run.placement)
    ]
    if _csv(subject.artefact / PLACEMENT) != written:
        found = (*found, _violation(PLACEMENT, "the file says something else than the placement"))
    sources = sum(len(run.placement.rows) for run in prepared.runs)
    neurons = sum(layer.size for layer in prepared.network.layers)
    words = f"{neurons} neurons and {sources} row pairs in {len(prepared.runs)} run(s), read back synapse by synapse"
    return _rules(PLACED, found, words, time.perf_counter() - start)


def _csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return [{key: row[key] for key in CSV_COLUMNS} for row in csv.DictReader(file)]


def _violation(where: str, what: str) -> Violation:
    return Violation(where=where, what=what, needed="", available="", remedy="")


def _rules(name: str, found: Sequence[Violation], words: str, seconds: float) -> Proof:
    told = "; ".join(f"{v.where}: {v.what}, {v.needed} of {v.available}; {v.remedy}" for v in found[:3])
    outcome = Outcome.FAILED if found else Outcome.PASSED
    return Proof(checks=(made(name, outcome, NONE_BROKEN, f"{len(found)} broken rules", told or words, seconds),))


def prove_dry_run(subject: Subject) -> Proof:
    """All scripts compile and build everything but the chip in an isolated interpreter, with numpy alone."""
    start = time.perf_counter()
    expected, name = "all scripts compile and dry-run", ""
    try:
        for name in (PYNN, HXTORCH, CALIBRATE):
            compile((subject.artefact / name).read_text(), name, "exec")
            command = [sys.executable, "-I", "-B", "-c", _ALONE, str(subject.artefact / name), "--dry-run"]
            run_tool(command, cwd=subject.artefact, timeout_s=subject.timeout_s)
    except (ToolError, SyntaxError, OSError) as error:
        words = f"{name}: {error.why.strip()[-400:] if isinstance(error, ToolError) else error}"
        seconds = time.perf_counter() - start
        return Proof(checks=(made(DRY_RUN, Outcome.FAILED, expected, f"{name} failed", words, seconds),))
    words = f"{PYNN}, {HXTORCH}, {CALIBRATE}: compiled; --dry-run, imports beyond numpy refused"
    return Proof(checks=(made(DRY_RUN, Outcome.PASSED, expected, expected, words, time.perf_counter() - start),))


_ALONE = """
import runpy, sys
class OnlyNumpy:
    def find_spec(self, name, path=None, target=None):
        first = name.partition(".")[0]
        if first != "numpy" and first not in sys.stdlib_module_names:
            raise ImportError(f"{name} is neither numpy nor part of Python")
sys.meta_path.insert(0, OnlyNumpy())
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def prove_nir(subject: Subject) -> Proof:
    """network.nir read back: the nodes that hxtorch and jaxsnn know, one parameter set per layer, the same weights."""
    start = time.perf_counter()
    network, expected = subject.prepared.network, "the same network, in the form that hxtorch and jaxsnn read"
    if not chain_of(network):
        return skipped(READ_BACK, expected, "those readers take a chain of layers only, so no network.nir was written "
                       "(to enable: leave the skip connection out)")  # fmt: skip
    wanted, got = nir_graph(network), nir.read(str(subject.artefact / NIR))
    wrong = [] if list(got.edges) == list(wanted.edges) else ["edges"]
    for name, node in wanted.nodes.items():
        other = got.nodes.get(name)
        if type(other) is not type(node):
            wrong.append(f"{name} is {type(other).__name__}")
            continue
        for field in ("weight", "tau_mem", "tau_syn", "r", "v_leak", "w_in", "v_threshold", "v_reset"):
            if not hasattr(node, field):
                continue
            value = np.asarray(getattr(other, field))
            if not np.array_equal(value, np.asarray(getattr(node, field))):
                wrong.append(f"{name}.{field} differs")
            if field != "weight" and (value.ndim != 1 or np.ptp(value) != 0):
                wrong.append(f"{name}.{field} is not one value in one dimension")
    outcome = Outcome.FAILED if wrong else Outcome.PASSED
    words = "; ".join(wrong) or f"{len(got.nodes)} nodes, tau in ms of the chip, r = 1, w_in = tau_syn"
    got_words = f"{len(wrong)} differences"
    return Proof(checks=(made(READ_BACK, outcome, expected, got_words, words, time.perf_counter() - start),))
