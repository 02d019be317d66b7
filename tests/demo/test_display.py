"""What the terminal and a log show while the demo runs, and the table at its end."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from lightning_neuro.demo.display import LOG_WIDTH, live_table, result_table, watching
from lightning_neuro.demo.plan import jobs_of
from lightning_neuro.demo.plans import FULL, QUICK
from lightning_neuro.demo.progress import cell_activity, deployment_words, training_words
from lightning_neuro.demo.running import JobState, Phase
from lightning_neuro.progress_lines import Step
from tests.demo.cells import DONE, FAILED, refused

WAITING = JobState(phase=Phase.WAITING)
CELL = QUICK.cells[0]


def running(what: str | None = None, done: int = 0, total: int = 50) -> JobState:
    step = None if what is None else Step(what=what, done=done, total=total)
    return JobState(phase=Phase.RUNNING, seconds=7.0, step=step)


def log() -> Console:
    return Console(file=io.StringIO(), width=LOG_WIDTH, highlight=False)


def text(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (WAITING, "waiting"),
        (running(), "training: starting"),
        (running("epoch", 3), "training, epoch 4/50"),
        (running("epoch", 50), "training: measuring and writing the best network"),
        (running("converting", 1, 3), "training: converting"),
        (DONE, "done"),
    ],
)
def test_words_of_a_training(state, words):
    assert training_words(state) == words


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (WAITING, "trained, waiting"),
        (running(), "deploying: reading the network"),
        (running("GHDL, sample 3"), "deploying: GHDL, sample 3"),
        (FAILED, "failed"),
        (refused(), "refused by the target"),
    ],
)
def test_words_of_a_deployment(state, words):
    assert deployment_words(state) == words


def test_a_cell_is_at_its_training_first_and_then_at_its_deployment():
    training = cell_activity(QUICK, CELL, {"lif": running("epoch", 25), CELL.name: WAITING})
    assert (training.phase, training.words, training.share) == (Phase.RUNNING, "training, epoch 26/50", 0.5)
    deploying = cell_activity(QUICK, CELL, {"lif": DONE, CELL.name: running("GHDL", 5, 20)})
    assert (deploying.words, deploying.share, deploying.seconds) == ("deploying: GHDL", 0.25, 49.5)


def test_a_cell_whose_training_failed_is_lost():
    lost = cell_activity(QUICK, CELL, {"lif": FAILED, CELL.name: JobState(phase=Phase.BLOCKED)})
    assert (lost.phase, lost.words) == (Phase.BLOCKED, "training failed")


def test_a_log_has_a_line_for_each_change_and_none_for_an_epoch():
    console = log()
    with watching(QUICK, jobs_of(QUICK, "out"), console) as show:
        for lif, cell in (
            (WAITING, WAITING),
            (running(), WAITING),
            (running("epoch", 1), WAITING),
            (running("epoch", 2), WAITING),
            (DONE, running("GHDL", 1)),
            (DONE, running("GHDL", 2)),
            (DONE, DONE),
            (DONE, DONE),
        ):
            show({"lif": lif, CELL.name: cell})
    lines = [line.split(" s  ", 1)[1] for line in text(console).splitlines()]
    assert lines == ["lif: training", "lif: done, 42.5 s", "lif-fpga: deploying: GHDL", "lif-fpga: done, 42.5 s"]


def test_the_live_table_has_all_cells_and_counts_those_that_ended():
    states = {job.name: WAITING for job in jobs_of(FULL, "out")}
    states |= {"lif": DONE, "lif-fpga": DONE, "lif-spinnaker": FAILED}
    console = log()
    console.print(live_table(FULL, states, 75.2))
    lines = text(console).splitlines()
    assert len(lines) == 11 and lines[-1].strip() == "2 of 9 cells, 1 min 15 s"
    assert "failed" in lines[2] and "trained, waiting" in lines[3]


def test_the_result_table_has_a_row_per_cell_and_words_below(nine):
    console = log()
    console.print(result_table(nine))
    said = text(console)
    table, _, notes = said.partition("\n\n")
    assert sum(line.startswith(("lif", "rate", "spike_time")) for line in table.splitlines()) == 9
    assert "99.17 %" in table and "1,459 LUT" in table
    assert "19 of 20  of 97,619  1,577 cycles/sample" in table  # of the row's second line
    assert max(map(len, table.splitlines())) <= LOG_WIDTH
    flat = " ".join(notes.split())
    assert "lif on spinnaker: elaborating no such simulator <ghdl>" in flat
    assert "rate on brainscales: refused: target brainscales cannot take this network" in flat
    assert "remedy: model=spike_time_brainscales" in flat
