"""The plan of the demo: its jobs, their order and the commands that make a cell again."""

from __future__ import annotations

import dataclasses

import pytest

from lightning_neuro.demo.plan import Cell, Plan, Training, artefact, commands, jobs_of
from lightning_neuro.demo.plans import FULL, QUICK

TUNED = Plan(
    models=("lif", "spike_time"),
    targets=("fpga", "brainscales"),
    trainings=(
        Training(name="base", overrides=("model=spike_time",)),
        Training(name="lif", overrides=("model=lif",)),
        Training(name="tuned", overrides=("noise=delgrad",), start_from="base"),
    ),
    cells=(
        Cell(model="spike_time", target="brainscales", training="tuned", overrides=("target.chips=2",)),
        Cell(model="spike_time", target="fpga", training="base"),
        Cell(model="lif", target="fpga", training="lif"),
    ),
)


def test_the_full_plan_fills_nine_cells_and_forbids_one():
    assert {(c.model, c.target) for c in FULL.cells} == {(m, t) for m in FULL.models for t in FULL.targets}
    assert len(FULL.cells) == 9
    assert [c.name for c in FULL.cells if c.forbidden] == ["rate-brainscales"]


def test_the_quick_plan_is_a_cell_of_the_full_one():
    (quick,), (full,) = QUICK.cells, (c for c in FULL.cells if c.name == "lif-fpga")
    assert (quick.model, quick.target, quick.training) == (full.model, full.target, full.training)
    (small,), (large,) = QUICK.trainings, (t for t in FULL.trainings if t.name == "lif")
    assert small.overrides[: len(large.overrides)] == large.overrides  # less of the same


@pytest.mark.parametrize("plan", [FULL, QUICK, TUNED])
def test_no_job_waits_for_one_that_is_not_there(plan):
    jobs = jobs_of(plan, "outputs/demo")
    names = [job.name for job in jobs]
    assert len(names) == len(set(names)) == len(plan.trainings) + len(plan.cells)
    assert all(name in names for job in jobs for name in job.after)


def test_two_cells_never_share_a_folder():
    folders = [artefact(cell, "outputs/demo") for cell in FULL.cells]
    assert len(set(folders)) == len(folders)


def test_jobs_are_commands_that_wait_for_what_they_read():
    jobs = {job.name: job for job in jobs_of(TUNED, "out")}
    assert jobs["tuned"].arguments == (
        "train", "noise=delgrad", "start_from=out/base/best.ckpt", "hydra.run.dir=out/tuned",
    )  # fmt: skip
    assert jobs["tuned"].after == ("base",)
    assert jobs["spike_time-brainscales"].arguments == (
        "deploy", "out/tuned/best.ckpt", "target=brainscales", "target.chips=2",
    )  # fmt: skip
    assert jobs["spike_time-brainscales"].after == ("tuned",)


def test_commands_of_a_cell_begin_with_its_first_training():
    lines = commands(TUNED, TUNED.cells[0], "out")
    assert [line.split()[1] for line in lines] == ["train", "train", "deploy"]
    assert "start_from" not in lines[0] and "start_from=out/base/best.ckpt" in lines[1]
    assert all(line.startswith("lightning-neuro ") for line in lines)


def test_cells_are_shown_by_model_and_target_whatever_starts_first():
    assert [cell.name for cell in TUNED.shown] == ["lif-fpga", "spike_time-fpga", "spike_time-brainscales"]


def test_a_name_is_taken_once():
    with pytest.raises(ValueError, match="taken twice"):
        dataclasses.replace(TUNED, trainings=(*TUNED.trainings, TUNED.trainings[0]))


def test_a_cell_needs_a_training_of_the_plan():
    with pytest.raises(ValueError, match="no such training: base"):
        dataclasses.replace(TUNED, trainings=TUNED.trainings[1:])
