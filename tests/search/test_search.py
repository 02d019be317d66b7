"""The search command: numbers that deploy repeats, a journal that survives, a choice that can be checked by hand."""

from __future__ import annotations

import csv
import dataclasses
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from lightning_neuro import cli
from lightning_neuro.checkpoint import KEY, load_record
from lightning_neuro.commands.search import search_from_overrides
from lightning_neuro.errors import ConfigError
from lightning_neuro.graph import golden
from lightning_neuro.graph.evaluate import accuracy
from lightning_neuro.graph.fixed import Format
from lightning_neuro.graph.lower import lower
from lightning_neuro.graph.widths import DEFAULT_SPEC, QuantizeRequest, QuantizeSpec
from lightning_neuro.rounding import quantized_graph, stored_integers, widths
from lightning_neuro.search.choice import front, recommend
from lightning_neuro.search.cost import Cost
from lightning_neuro.search.journal import Heading, Journal
from lightning_neuro.search.measure import Point, saturation
from lightning_neuro.search.run import JOURNAL
from lightning_neuro.search.space import Space, from_numbers, grid, label, numbers
from tests.conftest import ROOT
from tests.forks.client import program
from tests.graph.networks import quantized_chain, spikes
from tests.test_checkpoint import small_network, small_plain

NOTHING = QuantizeRequest(weight_bits=None, state_bits=None, leak_bits=None)
SMALL = ("space.weight_bits=[3,5]", "space.state_bits=[6,8]", "space.leak_bits=[3]", "workers=2", "tolerance=1.0")


def silent(what: str, done: int, total: int) -> None:
    del what, done, total


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "net.ckpt"
    plain = small_plain()
    graph = lower(*small_network())
    labels = golden.run(graph, load_spikes(plain), arithmetic="real").classes
    plain["evaluation"]["labels"] = torch.from_numpy(labels)
    torch.save({KEY: plain}, path)
    return path


def load_spikes(plain: dict) -> np.ndarray:
    from lightning_neuro.data.spike_set import SpikeSet

    return SpikeSet.unpack(plain["evaluation"]).spikes


def point(accuracy: float, cost: int) -> Point:
    return Point(
        widths=QuantizeSpec(weight_bits=2 + cost, state_bits=8, leak_bits=3),
        accuracy=accuracy,
        cost=Cost(weight_bits=cost, state_bits=0, lut=None, ramb18=None),
        saturation={},
    )


def test_every_number_is_the_one_that_deploy_measures(checkpoint: Path) -> None:
    found, out = search_from_overrides(checkpoint, SMALL, silent)
    record = load_record(checkpoint)
    graph = lower(record.graph, record.metadata)
    assert len(found.points) == 4 and record.evaluation is not None
    for measured in found.points:
        assert isinstance(measured.widths, QuantizeSpec)
        asked = QuantizeRequest(
            weight_bits=measured.widths.weight_bits,
            state_bits=measured.widths.state_bits,
            leak_bits=measured.widths.leak_bits,
        )
        integers, _ = quantized_graph(graph, record, None, widths(graph, None, asked, DEFAULT_SPEC))
        assert measured.accuracy == accuracy(integers, record.evaluation, "fixed")
    rows = list(csv.DictReader((out / "search.csv").open()))
    assert [float(row["accuracy"]) for row in rows] == pytest.approx([p.accuracy for p in found.points], abs=1e-6)
    assert (out / "pareto.png").read_bytes().startswith(b"\x89PNG") and (out / "profile.csv").is_file()


def test_the_recommendation_travels_in_the_checkpoint(checkpoint: Path) -> None:
    found, _ = search_from_overrides(checkpoint, SMALL, silent)
    record, best = load_record(checkpoint), found.recommended
    assert best is not None
    request = QuantizeRequest(weight_bits=None, state_bits=None, leak_bits=None, recommended=True)
    stored = stored_integers(record, request, checkpoint)
    graph = lower(record.graph, record.metadata)
    asked = widths(graph, stored, request, DEFAULT_SPEC)
    integers, notes = quantized_graph(graph, record, stored, asked)
    assert asked == best.widths and notes == () and record.evaluation is not None
    assert accuracy(integers, record.evaluation, "fixed") == best.accuracy


def test_without_a_search_there_is_no_recommendation(checkpoint: Path) -> None:
    request = QuantizeRequest(weight_bits=None, state_bits=None, leak_bits=None, recommended=True)
    with pytest.raises(ConfigError, match="no recommended widths") as caught:
        stored_integers(load_record(checkpoint), request, checkpoint)
    assert "lightning-neuro search" in caught.value.next_command


def test_a_search_that_goes_on_measures_nothing_twice(checkpoint: Path) -> None:
    first, out = search_from_overrides(checkpoint, (*SMALL, "keep=false"), silent)
    lines = (out / JOURNAL).read_text().splitlines(keepends=True)
    (out / JOURNAL).write_text("".join(lines[:3]) + lines[3][:20])  # killed in the middle of the third point
    again, _ = search_from_overrides(checkpoint, (*SMALL, "keep=false"), silent)
    assert again.resumed == 2 and again.points == first.points
    assert len((out / JOURNAL).read_text().splitlines()) == 5


def test_a_killed_process_leaves_points_that_count(checkpoint: Path) -> None:
    wide = ("space.weight_bits=[2,3,4,5,6,7,8]", "space.state_bits=[6,7,8,9,10,11,12]", "workers=1")
    command = [sys.executable, "-m", "lightning_neuro.cli", "search", str(checkpoint), *wide]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    journal = checkpoint.parent / "search" / JOURNAL
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not (journal.is_file() and journal.read_text().count("\n") > 5):
        time.sleep(0.02)
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    kept = journal.read_text().count("\n") - 1
    assert 5 <= kept
    found, _ = search_from_overrides(checkpoint, (*wide, "tolerance=1.0"), silent)
    assert found.resumed >= 5 and len(found.points) == 98


def test_points_of_another_network_are_not_continued(checkpoint: Path) -> None:
    _, out = search_from_overrides(checkpoint, (*SMALL, "keep=false"), silent)
    with pytest.raises(ConfigError, match="another network, to other samples"):
        search_from_overrides(checkpoint, (*SMALL, "samples=3", f"out={out}"), silent)


def test_optuna_asks_for_widths_of_every_layer_and_goes_on(checkpoint: Path) -> None:
    pytest.importorskip("optuna")
    space = (*SMALL, "space.per_layer=true", "method=optuna", "keep=false")
    first, _ = search_from_overrides(checkpoint, (*space, "trials=3"), silent)
    again, _ = search_from_overrides(checkpoint, (*space, "trials=6"), silent)
    assert 1 <= len(first.points) <= 3 and again.resumed == len(first.points) <= len(again.points)


def test_a_space_of_layers_is_the_product_of_their_spaces() -> None:
    space = Space(weight_bits=[4, 3, 4], state_bits=[8], leak_bits=[2, 3], per_layer=True)
    points = grid(space, ("a", "b"))
    assert len(points) == 16 and len({str(p) for p in points}) == 16
    assert sum(isinstance(p, QuantizeSpec) for p in points) == 4  # equal layers are one specification
    assert all(from_numbers(numbers(p, ("a", "b")), ("a", "b")) == p for p in points)
    assert label(points[1]) == "w3 v8 d2 | w3 v8 d3"


def test_a_grid_that_nobody_waits_for_is_refused() -> None:
    space = Space(weight_bits=list(range(2, 13)), state_bits=[8], leak_bits=[3], per_layer=True)
    with pytest.raises(ConfigError, match="161,051 points") as caught:
        grid(space, tuple("abcde"))
    assert "method=optuna" in caught.value.next_command


def test_the_front_holds_what_nothing_beats() -> None:
    points = [point(a, c) for a, c in ((0.9, 3), (0.8, 1), (0.85, 2), (0.84, 2), (0.9, 4), (0.7, 5))]
    best = front(points, lambda p: p.cost.bits)
    assert [(p.accuracy, p.cost.bits) for p in best] == [(0.8, 1), (0.85, 2), (0.9, 3)]
    for one, other in itertools.product(points, best):
        assert not (one.accuracy > other.accuracy and one.cost.bits <= other.cost.bits)


def test_the_cheapest_within_the_tolerance_is_recommended() -> None:
    points = [point(0.90, 1), point(0.95, 2), point(0.96, 2), point(0.99, 5)]
    found = recommend(points, lambda p: p.cost.bits, 0.97, 0.01)
    assert found is points[2]
    assert recommend(points, lambda p: p.cost.bits, 0.995, 0.001) is None


def test_saturation_counts_membranes_at_an_end_of_their_range() -> None:
    graph = quantized_chain([6, 5, 3])
    raster = spikes(8, 20, 6)
    from lightning_neuro.data.spike_set import SpikeSet

    found = saturation(graph, SpikeSet(spikes=raster, labels=np.zeros(8, np.int64)))
    run = golden.run(graph, raster, arithmetic="fixed", record=True)
    for population in graph.populations:
        state = population.state_format
        assert isinstance(state, Format)
        membrane = run.membrane[population.name]
        assert found[population.name] == np.isin(membrane, (state.low, state.high)).mean()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("space.weight_bits=[]", "no list of widths"),
        ("space.weight_bits=[1]", "quantize.weight_bits must be an integer from 2 to 16"),
        ("tolerance=2", "tolerance=2 must be"),
        ("method=random", "method='random' must be"),
        ("price=gold", "price=gold is unknown"),
        ("samples=0", "samples=0 must be"),
        ("spce.weight_bits=[3]", "spce"),
    ],
)
def test_mistakes_are_one_message(checkpoint: Path, override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message.replace("(", r"\(")):
        search_from_overrides(checkpoint, (override,), silent)
    assert not (checkpoint.parent / "search" / JOURNAL).is_file()


def test_the_command_prints_the_front_and_what_to_type(
    checkpoint: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["lightning-neuro", "search", str(checkpoint), *SMALL])
    with pytest.raises(SystemExit) as done:
        cli.main()
    shown = capsys.readouterr().out
    assert done.value.code == 0 and "recommended" in shown and "quantize=recommended" in shown


def test_foreign_samples_without_labels_are_refused(checkpoint: Path) -> None:
    whole = torch.load(checkpoint, weights_only=True)
    whole[KEY]["evaluation"] = None
    torch.save(whole, checkpoint)
    with pytest.raises(ConfigError, match="no labelled samples"):
        search_from_overrides(checkpoint, SMALL, silent)


def test_two_processes_share_a_folder_and_spoil_nothing(checkpoint: Path) -> None:
    wide = ("space.weight_bits=[2,3,4,5,6]", "space.state_bits=[6,7,8,9]", "space.leak_bits=[3]", "workers=1")
    words = ["lightning-neuro", "search", str(checkpoint), *wide, "tolerance=1.0", "keep=false"]
    done = program(checkpoint.parent, "python", str(ROOT / "tests/forks/together.py"), *[json.dumps(words)] * 2)
    assert done.returncode == 0, done.stderr
    lines = (checkpoint.parent / "search" / JOURNAL).read_text().splitlines()
    widths_of_lines = [str(json.loads(line)["widths"]) for line in lines[1:]]
    assert len(widths_of_lines) == len(set(widths_of_lines)) == 20


def test_writers_see_each_others_points_and_heal_a_broken_line(tmp_path: Path) -> None:
    heading = Heading(sha256="a", samples=1, inputs="b", lanes="auto", populations=("p",))
    one, other = Journal(tmp_path / "x", heading), Journal(tmp_path / "x", heading)
    one.add(point(0.5, 1))
    with (tmp_path / "x").open("a") as stream:
        stream.write('{"widths": [[4' + 1000 * " ")  # killed here
    other.add(point(0.6, 2))
    other.add(point(0.7, 1))  # known from the first
    one.refresh()
    assert [p.accuracy for p in one.points] == [p.accuracy for p in other.points] == [0.5, 0.6]
    assert Journal(tmp_path / "x", heading).points == one.points
    assert all(json.loads(line) for line in (tmp_path / "x").read_text().splitlines())
    with pytest.raises(ConfigError, match="lanes"):
        Journal(tmp_path / "x", dataclasses.replace(heading, lanes=4))


def test_every_price_has_an_optuna_study_of_its_own(checkpoint: Path) -> None:
    pytest.importorskip("optuna")
    space = (*SMALL, "method=optuna", "keep=false", "trials=3")
    search_from_overrides(checkpoint, space, silent)
    seen: list[tuple[int, int]] = []
    search_from_overrides(checkpoint, (*space, "price=area"), lambda what, done, total: seen.append((done, total)))
    assert seen[0] == (0, 3) and seen[-1] == (3, 3)
