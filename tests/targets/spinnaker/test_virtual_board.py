"""What sPyNNaker would load onto a board, read back from its virtual board and compared with the plan."""

from __future__ import annotations

import dataclasses
import os
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from lightning_neuro.errors import ToolError
from lightning_neuro.report import Outcome
from lightning_neuro.targets.spinnaker import virtual_board
from lightning_neuro.targets.spinnaker.board_image import BoardImage
from lightning_neuro.targets.spinnaker.board_problems import (
    BoardExpectation,
    mapping_problems,
    shift_differences,
    synapse_differences,
)
from lightning_neuro.targets.spinnaker.estimates import predict
from lightning_neuro.targets.spinnaker.maps import ConvolutionBy
from lightning_neuro.targets.spinnaker.placement import placement_plot
from lightning_neuro.targets.spinnaker.readback import Synapses, synapses
from lightning_neuro.targets.spinnaker.virtual_board import (
    board_resources,
    compare,
    map_network,
    prove_on_virtual_board,
)
from tests.depth import thorough
from tests.targets.spinnaker import boards

ON_BOARD = ("--backend", "spinnaker", "--virtual")
LIMIT_S = 200.0

needs_spynnaker = pytest.mark.skipif(
    find_spec("spynnaker") is None, reason="sPyNNaker is not installed: pip install sPyNNaker"
)


@pytest.fixture(scope="module")
def convolutional(tmp_path_factory: pytest.TempPathFactory) -> tuple[boards.Deployed, BoardImage]:
    made = boards.deployed(boards.convolutional(), tmp_path_factory.mktemp("convolutional"), ConvolutionBy.CONNECTOR)
    return made, map_network(made.folder / "network.py", ON_BOARD, LIMIT_S)


@pytest.fixture(scope="module")
def recurrent(tmp_path_factory: pytest.TempPathFactory) -> tuple[boards.Deployed, BoardImage]:
    made = boards.deployed(boards.recurrent(), tmp_path_factory.mktemp("recurrent"))
    return made, map_network(made.folder / "network.py", ON_BOARD, LIMIT_S)


@pytest.fixture(scope="module")
def wrong() -> BoardImage:
    """A script full of mistakes, every one of which the virtual board accepts."""
    return map_network(Path(__file__).with_name("wrong_script.py"), (), LIMIT_S)


# -- what is right passes ------------------------------------------------------------------------------------------


@needs_spynnaker
def test_connectors_carry_every_synapse_of_the_convolutions(convolutional: tuple[boards.Deployed, BoardImage]) -> None:
    made, image = convolutional
    assert {core.binary for core in image.cores if core.layer in ("conv", "deep")} == {"IF_curr_exp_conv.aplx"}
    assert [check.outcome for check in compare(image, made.expected, 0.0)] == [Outcome.PASSED] * 3


@needs_spynnaker
def test_rows_of_several_cores_loops_and_prolonged_delays_are_as_planned(
    recurrent: tuple[boards.Deployed, BoardImage],
) -> None:
    made, image = recurrent
    assert sum(core.layer == "hidden" for core in image.cores) == 2
    assert any(core.late.any() for core in image.cores), "no core prolongs the delay of 40 steps"
    assert [check.outcome for check in compare(image, made.expected, 0.0)] == [Outcome.PASSED] * 3
    assert set(synapses(image)["input", "hidden"].delay.tolist()) == {1, 41}


@needs_spynnaker
@pytest.mark.parametrize("network", ["convolutional", "recurrent"])
def test_estimates_agree_with_the_board(network: str, request: pytest.FixtureRequest) -> None:
    made, image = request.getfixturevalue(network)
    fit = predict(made.scaled.plan)
    assert fit.cores == len(image.cores)
    assert (fit.boards, fit.chips) <= (image.boards, image.used_chips)
    assert image.sdram == pytest.approx(fit.sdram_bytes, rel=0.15)


@needs_spynnaker
@pytest.mark.draws
def test_report_gets_numbers_by_layer_and_a_picture(convolutional: tuple[boards.Deployed, BoardImage]) -> None:
    _, image = convolutional
    resources = board_resources(image)
    assert resources["application_cores"] == 16
    assert resources["layers"]["conv"]["neurons"] == 192  # type: ignore[index]
    assert placement_plot(image).png.startswith(b"\x89PNG")


@needs_spynnaker
def test_home_and_folder_of_the_user_stay_untouched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    script = tmp_path / "script.py"
    script.write_text("import pyNN.spiNNaker as sim\nsim.setup(timestep=1.0)\nraise SystemExit(3)\n")
    with pytest.raises(ToolError, match="exit status 3"):
        map_network(script, (), LIMIT_S)
    assert os.listdir(tmp_path / "home") == []
    assert sorted(os.listdir(tmp_path)) == ["home", "script.py"]


# -- what is wrong fails: the virtual board says nothing about any of these ----------------------------------------


def wanted(weights: list[float], delay: int, count: int | None = None) -> Synapses:
    """Synapses i -> i with weights in units of 2**-12, the shift being 3."""
    place = np.arange(len(weights) if count is None else count)
    counts = np.rint(np.array(weights) * 2.0**12).astype(np.int64) * np.ones(len(place), np.int64)
    return Synapses(
        pre=place,
        post=place,
        receptor=(counts < 0).astype(np.int64),
        delay=np.full(len(place), delay),
        weight=np.abs(counts),
    )


def problems_of(image: BoardImage, name: str, expected: Synapses) -> str:
    pair = f"{name}_in", name
    return "; ".join(synapse_differences({pair: synapses(image)[pair]}, {pair: expected}))


@needs_spynnaker
def test_mixed_signs_in_one_projection_are_found(wrong: BoardImage) -> None:
    assert "excitatory 1 -> 1" in problems_of(wrong, "signs", wanted([0.5, -0.5, 1.0], 1))


@needs_spynnaker
def test_weights_beyond_16_bits_are_found(wrong: BoardImage) -> None:
    problems = problems_of(wrong, "wide", wanted([0.5, 7.9, 20.0], 1))
    assert "1 weight(s) do not fit 16 bits" in problems
    assert "excitatory 2 -> 2 after 1 step(s): 16384 on the board, 81920 planned" in problems


@needs_spynnaker
def test_delays_that_were_rounded_are_found(wrong: BoardImage) -> None:
    assert "after 0 step(s)" in problems_of(wrong, "hasty", wanted([0.5, 0.5], 0))
    assert problems_of(wrong, "hasty", wanted([0.5, 0.5], 1)) == ""  # 0.2 ms became a step


@needs_spynnaker
def test_convolution_into_delta_cells_is_found_by_its_missing_program(wrong: BoardImage) -> None:
    assert wrong.missing_binaries == ("IF_curr_delta_conv.aplx",)
    assert "IF_curr_delta_conv.aplx" in "; ".join(mapping_problems(wrong, nothing()))


@needs_spynnaker
def test_too_many_spikes_at_once_are_found(wrong: BoardImage) -> None:
    crowded = dataclasses.replace(nothing(), most_spikes={"crowd_in": 200})
    assert "crowd_in sends 200 spikes in one step from 1 core(s)" in "; ".join(mapping_problems(wrong, crowded))
    fewer = dataclasses.replace(nothing(), most_spikes={"crowd_in": 100})
    assert "crowd_in" not in "; ".join(mapping_problems(wrong, fewer))


@needs_spynnaker
def test_a_machine_that_grew_is_found(wrong: BoardImage) -> None:
    grown = dataclasses.replace(wrong, boards=3, missing_binaries=())
    assert mapping_problems(grown, nothing()) == ["the machine grew to 3 boards, target.boards allows 1"]


@needs_spynnaker
def test_shifts_that_differ_from_the_emulators_are_found(wrong: BoardImage) -> None:
    names = {population.layer for population in wrong.populations.values() if population.shifts}
    right = {name: (3, 3) for name in names - {"delta"}} | {"delta": wrong.populations["delta"].shifts}
    assert shift_differences(wrong, right) == []
    (problem,) = shift_differences(wrong, right | {"wide": (2, 3)})
    assert problem == "wide: shifts [3, 3] on the board, [2, 3] in the emulator"
    assert shift_differences(wrong, right | {"absent": (3, 3)}) == ["absent is not on the board"]


@needs_spynnaker
@pytest.mark.parametrize(
    ("right", "mistaken"),
    [
        ("np.flip(kernel[d, c])", "kernel[d, c]"),  # torch's direction instead of the connector's
        pytest.param('("inhibitory", weight < 0)', '("excitatory", weight < 0)', marks=thorough),  # every sign lost
    ],
    ids=["kernels not flipped", "signs not split"],
)
def test_a_mistake_in_the_script_fails_the_check(
    right: str, mistaken: str, convolutional: tuple[boards.Deployed, BoardImage], tmp_path: Path
) -> None:
    made, _ = convolutional
    for name in ("weights.npz", "testset.npz", "spynnaker.cfg"):
        (tmp_path / name).write_bytes((made.folder / name).read_bytes())
    script = (made.folder / "network.py").read_text()
    assert script.count(right) == 1
    (tmp_path / "network.py").write_text(script.replace(right, mistaken))
    run = prove_on_virtual_board(tmp_path, made.expected, LIMIT_S)
    outcomes = {check.name: check.outcome for check in run.checks}
    assert outcomes[virtual_board.VIRTUAL_BOARD] is Outcome.PASSED
    assert outcomes[virtual_board.SYNAPSES] is Outcome.FAILED


# -- without sPyNNaker ---------------------------------------------------------------------------------------------


def nothing() -> BoardExpectation:
    return BoardExpectation(boards=1, shifts={}, synapses={}, most_spikes={}, biases=frozenset())


def test_without_spynnaker_the_checks_are_skipped_and_say_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lightning_neuro.extras.find_spec", lambda name: None)
    run = prove_on_virtual_board(tmp_path, nothing(), LIMIT_S)
    assert {check.outcome for check in run.checks} == {Outcome.SKIPPED}
    assert all("pip install 'lightning-neuro[spinnaker]'" in check.detail for check in run.checks)


def test_a_script_that_does_not_map_fails_and_what_depends_on_it_is_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lightning_neuro.extras.find_spec", lambda name: object())
    (tmp_path / "network.py").write_text("raise SystemExit('no such network')")
    run = prove_on_virtual_board(tmp_path, nothing(), LIMIT_S)
    assert [check.outcome for check in run.checks] == [Outcome.FAILED, Outcome.SKIPPED, Outcome.SKIPPED]
