from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.data.test_modules import fake_mnist
from tests.site.commands import ROOT, UNRUN, Command, as_run, commands_of, fault_of_unrun

PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs" / "tutorials").glob("*.md")),
]
WITH_COMMANDS = [page for page in PAGES if commands_of(page)]
MOST_SKIPPED = 6
KEPT_COMMANDS = 2  # of the beginning of a page
CHECKOUT = ("train.py", "examples", "benchmarks", "conf", "lightning_neuro")


class Runner:
    """The process that runs commands, and the folders that equal beginnings of pages left behind."""

    def __init__(self, kept: Path) -> None:
        environment = os.environ | {
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
            "MPLBACKEND": "agg",
            "COLUMNS": "100",
        }
        self.process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("runner.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )
        self.kept, self.folders = kept, dict[tuple[str, ...], Path]()

    def run(self, words: list[str], folder: Path, output: Path) -> int:
        assert self.process.stdin is not None and self.process.stdout is not None
        request = {"words": words, "folder": str(folder), "output": str(output)}
        print(json.dumps(request), file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())["code"]

    def remember(self, key: tuple[str, ...], folder: Path) -> None:
        """Keep what the first commands of a page made: other pages that begin alike need not make it again."""
        self.folders[key] = self.kept / str(len(self.folders))
        shutil.copytree(folder, self.folders[key], symlinks=True)


@pytest.fixture(scope="session")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    found = Runner(tmp_path_factory.mktemp("kept"))
    yield found
    found.process.communicate()


def working_folder(parent: Path) -> Path:
    """A folder in which the paths of the pages exist: the checkout's scripts, and a small MNIST."""
    folder = parent / "work"
    folder.mkdir()
    for name in CHECKOUT:
        (folder / name).symlink_to(ROOT / name)
    mnist = folder / "path" / "to" / "mnist"
    mnist.mkdir(parents=True)
    fake_mnist(mnist)
    return folder


def run_page(found: tuple[Command, ...], folder: Path, output: Path, runner: Runner) -> None:
    """Run a page's commands in order; a command must end with the code that the page expects."""
    here, done = folder, tuple[str, ...]()
    for command in found:
        if command.skip is not None or command.words[0] in UNRUN:
            assert command.words[0] not in UNRUN or fault_of_unrun(command.words) is None, str(command)
            continue
        if command.words[0] == "cd":
            here = (here / command.words[1]).resolve()
            assert here.is_dir(), f"{command}: no such folder"
            continue
        done = (*done, shlex.join(as_run(command)))
        if done in runner.folders:
            shutil.rmtree(folder)
            shutil.copytree(runner.folders[done], folder, symlinks=True)
            continue
        code = runner.run(as_run(command), here, output)
        said = output.read_text(encoding="utf-8", errors="replace") if output.exists() else ""
        assert code == command.code, f"{command}\nexit code {code}, expected {command.code}\n{said[-3000:]}"
        if len(done) <= KEPT_COMMANDS:
            runner.remember(done, folder)


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=lambda page: page.stem)
def test_every_command_of_a_page_runs(page: Path, tmp_path: Path, runner: Runner) -> None:
    run_page(commands_of(page), working_folder(tmp_path), tmp_path / "output", runner)


def test_few_commands_are_skipped_and_each_has_a_reason() -> None:
    skipped = [command for page in WITH_COMMANDS for command in commands_of(page) if command.skip is not None]
    assert len(skipped) <= MOST_SKIPPED, [f"{command} ({command.skip})" for command in skipped]
    assert all(len(command.skip.split()) >= 4 for command in skipped)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("```bash\npython train.py model=lif modle.reset=zero\n```\n", "modle"),
        ("```bash\ndeploy outputs/latest/best.ckpt target=fpga\n```\n", "no such checkpoint"),
        ("```bash\npython examples/moved.py\n```\n", "moved.py"),
        ("```bash\nlightning-neuro trian model=lif\n```\n", "trian"),
        ("```bash\nmake coffee\n```\n", "coffee"),
        ("```bash\npip install 'lightning-neuro[coffee]'\n```\n", "coffee"),
        ("```bash\ncd nowhere\n```\n", "nowhere"),
        ("```bash\ncurl example.org\n```\n", "does not know the program curl"),
    ],
)
def test_a_wrong_command_fails(text: str, found: str, tmp_path: Path, runner: Runner) -> None:
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")
    with pytest.raises(AssertionError, match=found):
        run_page(commands_of(page), working_folder(tmp_path), tmp_path / "output", runner)


@pytest.mark.parametrize(
    "comment", ["<!-- test: skipp: a reason -->\n```bash\nls\n```\n", "<!-- test: exit 2 -->\ntext\n"]
)
def test_a_comment_that_says_nothing_is_refused(comment: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(comment, encoding="utf-8")
    with pytest.raises(ValueError, match="without a block behind it, or with unknown words"):
        commands_of(page)
