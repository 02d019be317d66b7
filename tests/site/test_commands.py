from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import pytest

from tests.data.test_modules import fake_mnist
from tests.depth import thorough
from tests.forks.client import Request, run
from tests.site.commands import ROOT, UNRUN, Command, as_run, commands_of, fault_of_unrun

PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs" / "tutorials").glob("*.md")),
]
WITH_COMMANDS = [page for page in PAGES if commands_of(page)]
MOST_SKIPPED = 6
REFERENCE = (ROOT / "docs/rate.md", ROOT / "docs/spike_time.md")  # commands of tutorials with other settings
KEPT_COMMANDS = 2  # of the beginning of a page
CHECKOUT = ("train.py", "examples", "benchmarks", "conf", "lightning_neuro")


class Kept:
    """The folders that equal beginnings of pages left behind: other pages that begin alike need not make them again."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.found = folder, dict[tuple[str, ...], Path]()

    def remember(self, key: tuple[str, ...], folder: Path) -> None:
        """Keep what the first commands of a page made."""
        self.found[key] = self.folder / str(len(self.found))
        shutil.copytree(folder, self.found[key], symlinks=True)


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    return Kept(tmp_path_factory.mktemp("kept"))


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


def run_page(found: tuple[Command, ...], folder: Path, output: Path, kept: Kept) -> None:
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
        if done in kept.found:
            shutil.rmtree(folder)
            shutil.copytree(kept.found[done], folder, symlinks=True)
            continue
        request = Request(words=as_run(command), folder=str(here), output=str(output), errors=str(output))
        code = run(request)
        said = output.read_text(encoding="utf-8", errors="replace") if output.exists() else ""
        assert code == command.code, f"{command}\nexit code {code}, expected {command.code}\n{said[-3000:]}"
        if len(done) <= KEPT_COMMANDS:
            kept.remember(done, folder)


@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=[thorough] if page in REFERENCE else []) for page in WITH_COMMANDS],
    ids=lambda page: page.relative_to(ROOT).with_suffix("").as_posix(),
)
def test_every_command_of_a_page_runs(page: Path, tmp_path: Path, kept: Kept) -> None:
    run_page(commands_of(page), working_folder(tmp_path), tmp_path / "output", kept)


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
def test_a_wrong_command_fails(text: str, found: str, tmp_path: Path, kept: Kept) -> None:
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")
    with pytest.raises(AssertionError, match=found):
        run_page(commands_of(page), working_folder(tmp_path), tmp_path / "output", kept)


@pytest.mark.parametrize(
    "comment", ["<!-- test: skipp: a reason -->\n```bash\nls\n```\n", "<!-- test: exit 2 -->\ntext\n"]
)
def test_a_comment_that_says_nothing_is_refused(comment: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(comment, encoding="utf-8")
    with pytest.raises(ValueError, match="without a block behind it, or with unknown words"):
        commands_of(page)
