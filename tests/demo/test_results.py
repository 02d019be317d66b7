"""Verdicts, numbers and words of cells, from recorded reports."""

from __future__ import annotations

import dataclasses

import pytest

from lightning_neuro.demo.results import Count, Verdict, cost, verdict_of, words_of, wrong_values
from lightning_neuro.demo.running import JobState, Phase
from lightning_neuro.report import Outcome
from tests.demo.cells import CELLS, DONE, FAILED, recorded, refused, with_checks


def test_numbers_of_a_cell_are_those_of_its_report(result):
    row = result("lif-fpga", DONE, recorded("lif-fpga"))
    assert row.verdict is Verdict.PASSED
    assert row.trained.percent == "99.17 %" and row.quantized.percent == "98.89 %"
    assert (row.on_target.percent, row.on_target.fraction) == ("95.00 %", "19 of 20")
    assert row.wrong == Count(compared=97619, differing=0)
    assert row.cost == (("LUT", "1,459"), ("cycles/sample", "1,577"))
    assert row.checks == "4 passed"
    assert (row.training_s, row.deploy_s) == (61.0, 42.5)
    assert row.report == "lif/deploy/fpga/report.html" and row.words == ""


def test_an_unproved_cell_is_incomplete_and_says_why(result):
    report = with_checks(recorded("lif-fpga"), outcome=Outcome.SKIPPED, got=None, detail="yosys is not installed")
    row = result("lif-fpga", DONE, report)
    assert row.verdict is Verdict.INCOMPLETE
    assert row.words == "yosys_xc7: yosys is not installed"


def test_a_wrong_artefact_fails_and_says_where(result):
    report = with_checks(recorded("lif-fpga"), outcome=Outcome.FAILED, detail="sample 3, step 5, neuron 17")
    report = dataclasses.replace(
        report, resources={**report.resources, "ghdl_bit_exact": {"compared": 97619, "differing": 12}}
    )
    row = result("lif-fpga", dataclasses.replace(FAILED, words="a check failed"), report)
    assert row.verdict is Verdict.FAILED
    assert row.words == "yosys_xc7: sample 3, step 5, neuron 17"
    assert row.wrong == Count(compared=97619, differing=12)


def test_a_cell_without_an_artefact_fails_with_the_last_words_of_its_job(result):
    row = result("lif-spinnaker", FAILED)
    assert row.verdict is Verdict.FAILED and row.words == FAILED.words
    assert (row.trained, row.quantized, row.on_target, row.wrong, row.report, row.cost) == (*[None] * 5, ())


def test_a_real_refusal_is_right_where_physics_forbids_it(result):
    row = result("rate-brainscales", refused())
    assert row.verdict is Verdict.REFUSED and row.words == ""
    assert row.refusal is not None
    assert row.refusal.reason.startswith("target brainscales cannot take this network: network: neurons without leak")
    assert "model=spike_time_brainscales" in row.refusal.remedy


def test_a_refusal_that_nobody_expected_is_a_failure(result):
    assert result("lif-brainscales", refused()).verdict is Verdict.FAILED


@pytest.mark.parametrize("state", [DONE, FAILED, JobState(phase=Phase.BLOCKED, words="training failed")])
def test_a_forbidden_cell_passes_by_a_refusal_alone(state):
    assert verdict_of(CELLS["rate-brainscales"], state, None) is Verdict.FAILED


def test_a_target_that_takes_what_it_must_refuse_is_a_failure_in_words():
    report = recorded("lif-brainscales")
    assert verdict_of(CELLS["rate-brainscales"], DONE, report) is Verdict.FAILED
    assert "was expected to refuse" in words_of(CELLS["rate-brainscales"], DONE, report, {})


def test_a_report_of_a_killed_deployment_does_not_count():
    blocked = JobState(phase=Phase.BLOCKED, words="training failed")
    assert verdict_of(CELLS["lif-fpga"], blocked, recorded("lif-fpga")) is Verdict.FAILED


def test_the_accuracy_before_conversion_is_told(result):
    row = result("rate-spinnaker", DONE, recorded("rate-spinnaker"), ann__accuracy=0.975)
    assert row.words == "ANN before conversion 97.50 %"


def test_costs_of_each_target_in_its_own_units():
    names = {name: [key for key, _ in cost(report.target, report.resources)] for name, report in (
        (name, recorded(name)) for name in ("lif-fpga", "rate-spinnaker", "lif-brainscales")
    )}  # fmt: skip
    assert names["lif-fpga"] == ["LUT", "cycles/sample"]
    assert [name.split()[0] for name in names["rate-spinnaker"]][:2] == ["cores", "SDRAM"]
    assert [name.split()[-1] for name in names["lif-brainscales"]] == ["chips", "chip"]
    assert cost("of_somebody_else", {"lut": 3}) == ()


def test_an_fpga_without_synthesis_costs_cycles_only():
    resources = {key: value for key, value in recorded("lif-fpga").resources.items() if key != "xc7"}
    assert cost("fpga", resources) == (("cycles/sample", "1,577"),)


def test_wrong_values_add_up_over_checks():
    counts = {"a": {"compared": 10, "differing": 1}, "b": {"compared": 5, "differing": 2}, "cores": {"compared": 1}}
    assert wrong_values(counts) == Count(compared=15, differing=3)
    assert wrong_values({"cores": 3}) is None


def test_a_cell_stands_for_all_samples_where_the_few_simulated_ones_are_equal(result):
    few = result("lif-fpga", DONE, recorded("lif-fpga"))
    assert few.headline == ("98.89 %", "356 of 360; 20 simulated, 0 differ")
    differing = dataclasses.replace(few, wrong=dataclasses.replace(few.wrong, differing=1))
    assert differing.headline == ("95.00 %", "19 of 20")
    assert result("rate-spinnaker", DONE, recorded("rate-spinnaker")).headline == ("96.67 %", "348 of 360")
    assert result("lif-fpga", FAILED).headline is None
