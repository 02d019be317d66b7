"""Optuna chooses the settings of trainings: spaces, a search that goes on after a kill, one message per mistake."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins

from lightning_neuro.errors import ConfigError
from lightning_neuro.search.study import open_study
from lightning_neuro.search.trainings import NAME, distribution
from lightning_neuro.train import main
from tests.parallel.gate import Break, Killed
from tests.parallel.starting import state

optuna = pytest.importorskip("optuna")
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution  # noqa: E402

Run = Callable[..., str]
SPACE = "model.lr=tag(log,interval(1e-3,1e-1))"


@pytest.mark.parametrize(
    ("space", "wanted"),
    [
        ("x=interval(0.1,1)", FloatDistribution(0.1, 1.0)),
        ("x=interval(1,4)", FloatDistribution(1.0, 4.0)),
        ("x=int(interval(1,4))", IntDistribution(1, 4)),
        ("x=tag(log,interval(1e-3,1e-1))", FloatDistribution(1e-3, 1e-1, log=True)),
        ("x=tag(log,int(interval(1,64)))", IntDistribution(1, 64, log=True)),
        ("x=range(1,5)", IntDistribution(1, 4)),
        ("x=range(0,10,3)", IntDistribution(0, 9, step=3)),
        ("x=range(0.0,1.0,0.25)", FloatDistribution(0.0, 0.75, step=0.25)),
        ("x=a,b", CategoricalDistribution(["a", "b"])),
        ("x=choice(1,2,4)", CategoricalDistribution(["1", "2", "4"])),
        ("model.layers=[null,8,null],[null,16,null]", CategoricalDistribution(["[null,8,null]", "[null,16,null]"])),
    ],
)
def test_spaces_of_hydra_become_distributions_of_optuna(space: str, wanted: object) -> None:
    assert distribution(OverridesParser.create().parse_override(space)) == wanted


@pytest.mark.parametrize("space", ["x=tag(log,interval(0,1))", "x=interval(2,1)", "x=tag(log,int(interval(0,4)))"])
def test_a_space_without_values_is_a_message(space: str) -> None:
    with pytest.raises(ConfigError, match="is no space") as caught:
        distribution(OverridesParser.create().parse_override(space))
    assert caught.value.where == "x" and "x='interval(0.1,1)'" in caught.value.next_command


@pytest.fixture
def search(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """A search of small trainings in ``tmp_path/sweep``, in this process; returns what it said."""
    words = ["trainer=debug", "callbacks.quantize=null", "callbacks.nir=null", "callbacks.progress=null"]

    def run(*overrides: str, code: int = 0) -> str:
        sweep = f"hydra.sweep.dir={tmp_path / 'sweep'}"
        monkeypatch.setattr(sys, "argv", ["train.py", "-m", "hydra/sweeper=optuna", sweep, *words, *overrides])
        try:
            main()
        except SystemExit as leaving:
            assert leaving.code == code
        said = capsys.readouterr()
        assert bool(said.err) == bool(code), said.err
        return said.out + said.err

    return run


def numbers(folder: Path) -> dict[str, float]:
    return json.loads((folder / "metrics.json").read_text())


def test_a_search_that_was_killed_goes_on_and_trains_nothing_twice(search: Run, tmp_path: Path) -> None:
    sweep = tmp_path / "sweep"
    (tmp_path / "break").write_text("1")
    hook = [f"+callbacks.break._target_={Break.__module__}.{Break.__name__}", f"+callbacks.break.path={tmp_path}/break"]
    options = [SPACE, "trainer.max_epochs=2", *hook]
    with pytest.raises(Killed):
        search(*options, "hydra.sweeper.n_trials=2")
    killed = open_study(sweep, NAME, ("maximize",), 0, "test").trials
    assert [trial.state.name for trial in killed] == ["COMPLETE", "RUNNING"]
    begun = state(sweep / "1")["callbacks"]["History"]["epochs"]
    first = (sweep / "0" / "metrics.json").stat().st_mtime_ns
    assert len(begun) == 1 and not (sweep / "1" / "metrics.json").exists()

    said = search(*options, "hydra.sweeper.n_trials=4")
    trials = open_study(sweep, NAME, ("maximize",), 0, "test").trials
    assert [trial.state.name for trial in trials] == ["COMPLETE"] * 4
    assert [trial.value for trial in trials] == [numbers(sweep / str(k))["val_accuracy"] for k in range(4)]
    assert [trial.params for trial in trials[:2]] == [trial.params for trial in killed]
    assert len({trial.params["model.lr"] for trial in trials}) == 4
    assert (sweep / "0" / "metrics.json").stat().st_mtime_ns == first
    assert state(sweep / "1")["callbacks"]["History"]["epochs"][:1] == begun  # its time too: it was trained on
    best = max(trials, key=lambda trial: trial.value)
    assert f"run {sweep / str(best.number)}" in said and f"model.lr={best.params['model.lr']}" in said


def test_a_search_with_enough_trials_trains_nothing(search: Run, tmp_path: Path) -> None:
    search(SPACE, "hydra.sweeper.n_trials=1")
    before = (tmp_path / "sweep" / "0" / "metrics.json").stat().st_mtime_ns
    assert "best" in search(SPACE, "hydra.sweeper.n_trials=1")
    assert (tmp_path / "sweep" / "0" / "metrics.json").stat().st_mtime_ns == before
    for other, word in (
        ((SPACE, "hydra.sweeper.direction=minimize"), "direction"),
        ((SPACE, "hydra.sweeper.metric=test_loss"), "metric"),
        ((SPACE, "seed=3"), "settings"),
    ):
        said = search(*other, "hydra.sweeper.n_trials=2", code=2)
        assert f"a search of other {word}" in said and "hydra.sweep.dir" in said
    assert "another space" in search("model.lr=0.1,0.2", "hydra.sweeper.n_trials=2", code=2)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (("hydra.sweeper.n_trials=0", SPACE), ("n_trials=0", "hydra.sweeper.n_trials=20")),
        (("hydra.sweeper.n_jobs=many", SPACE), ("n_jobs=many", "at least 1")),
        (("hydra.sweeper.direction=up", SPACE), ("direction=up", "maximize or minimize")),
        (("hydra.sweeper.seed=-1", SPACE), ("seed=-1",)),
        (("hydra.sweeper.metric=beauty", SPACE, "hydra.sweeper.n_trials=1"), ("no beauty", "val_accuracy")),
        (("seed=0",), ("no setting has a space", "model.lr=")),
        (("model.lr=tag(log,interval(0,1))",), ("is no space", "model.lr")),
        (("model.nonsense=choice(1,2)",), ("nonsense",)),
        (("model.lr=choice(-1,-2)",), ("model.lr=-", "must be a number > 0")),
    ],
)
def test_a_mistake_is_one_message(search: Run, overrides: tuple[str, ...], words: tuple[str, ...]) -> None:
    said = search(*overrides, code=2)
    assert all(word in said for word in words) and "Traceback" not in said


def test_hydra_finds_the_sweeper() -> None:
    from hydra.plugins.sweeper import Sweeper

    assert "OptunaSweeper" in {plugin.__name__ for plugin in Plugins.instance().discover(Sweeper)}
