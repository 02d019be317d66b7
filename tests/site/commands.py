"""The commands in pages: what a ```bash block says, and how a test makes it small.

Every ```bash block of README.md and of the tutorials is run, in order, in one working folder per page. An HTML comment
in front of a block, which no reader sees, changes how that is done:

    <!-- test: append trainer.max_epochs=2 -->      these words behind every command of the block
    <!-- test: skip: REASON -->                     the block is read, but not run
    <!-- test: exit 2 -->                           its commands end with this code

``SMALL`` holds what every command of a program gets, and ``SMALL_MODELS`` the layers of every model that is named
without layers, so that most blocks need no comment; a key that is given twice counts as it is given last. ``make GOAL``
and ``pip install ...[extra]`` are not run: their goals and extras must exist. Any other program fails.
"""

from __future__ import annotations

import re
import shlex
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

tomllib = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
ROOT = Path(__file__).parents[2]
SMALL: dict[str, tuple[str, ...]] = {
    "train": ("trainer.max_epochs=1",),
    "resume": ("trainer.max_epochs=2",),
    "data=mnist": ("data.val_samples=20",),
    "seed": ("seed=0,1",),
    "fpga": ("target.synthesis=false", "verify.samples=1"),
    "spinnaker": ("verify.samples=3", "target.points=100"),
    "brainscales": (
        "verify.samples=5",
        "target.chips=2",
        "target.samples=50",
        "target.points=100",
        "target.steps_points=100",
    ),
    "search": ("space.weight_bits=[4,6]", "space.state_bits=[8]", "samples=60", "tolerance=0.9"),
}
SMALL_MODELS: dict[str, str] = {  # beginning of a model's name, in order
    "lif": "model.layers=[null,16,null]",
    "spike_time": "model.layers=[null,16,null]",
    "rate_mlp": "model.network=[{dense: 16}]",
    "rate": "model.network=[{conv: 2}, {pool: 4}, {dense: 8}]",
}

_BLOCK = re.compile(r"((?:^<!-- test:[^\n]*-->\n+)*)^```bash\n(.*?)^```", re.MULTILINE | re.DOTALL)
_DIRECTIVE = re.compile(r"<!-- test: (append|skip:|exit) (.+?) -->")
_GOAL = re.compile(r"^([\w-]+):", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command of a page.

    Args:
        page: file, relative to the checkout.
        line: where its block begins.
        words: as typed.
        more: what makes it small.
        code: exit code it must have.
        skip: why it is not run; None where it is.
    """

    page: str
    line: int
    words: tuple[str, ...]
    more: tuple[str, ...]
    code: int
    skip: str | None

    def __str__(self) -> str:
        more = f"   + {shlex.join(self.more)}" if self.more else ""
        return f"{self.page}:{self.line}: {shlex.join(self.words)}{more}"


def commands_of(page: Path) -> tuple[Command, ...]:
    """Every command of a page's ```bash blocks, in order.

    Raises:
        ValueError: a comment that is meant for this test says nothing that it knows.
    """
    text = page.read_text(encoding="utf-8")
    if text.count("<!-- test:") != sum(len(_DIRECTIVE.findall(block[1])) for block in _BLOCK.finditer(text)):
        raise ValueError(f"{page}: a <!-- test: ... --> without a block behind it, or with unknown words")
    found = []
    for block in _BLOCK.finditer(text):
        says = dict(_DIRECTIVE.findall(block[1]))
        for words in _split(block[2]):
            found.append(
                Command(
                    page=page.relative_to(ROOT).as_posix() if page.is_relative_to(ROOT) else page.name,
                    line=text.count("\n", 0, block.start(2)),
                    words=words,
                    more=(*_small(words), *shlex.split(says.get("append", ""))),
                    code=int(says.get("exit", 0)),
                    skip=says.get("skip:"),
                )
            )
    return tuple(found)


def _split(block: str) -> list[tuple[str, ...]]:
    """Commands of a block; ``&&`` and a last ``&`` separate them, ``#`` begins a comment."""
    found: list[list[str]] = []
    for line in block.replace("\\\n", " ").splitlines():
        found.append([])
        for word in shlex.split(line, comments=True):
            if word in ("&&", "&"):
                found.append([])
            else:
                found[-1].append(word)
    return [tuple(words) for words in found if words]


def program_of(words: tuple[str, ...]) -> str:
    """``train``, ``deploy``, ``search``, ... whichever of the ways to type it was taken; else the first word."""
    if words[:2] == ("python", "train.py"):
        return "train"
    if words[:3] == ("python", "-m", "lightning_neuro.demo"):
        return "demo"
    first, *rest = words
    return rest[0] if first == "lightning-neuro" and rest else first


def _small(words: tuple[str, ...]) -> tuple[str, ...]:
    program = program_of(words)
    if "--help" in words or "trainer=debug" in words or program not in ("train", "deploy", "search"):
        return ()
    if program == "search":
        return SMALL["search"]
    if program == "deploy":
        return next((SMALL[name] for name in ("fpga", "spinnaker", "brainscales") if f"target={name}" in words), ())
    epochs = SMALL["resume" if _given("ckpt_path", words) else "train"]
    mnist = SMALL["data=mnist"] if any(word.startswith("data=mnist") for word in words) else ()
    seeds = SMALL["seed"] if "," in (_given("seed", words) or "") else ()
    return (*epochs, *_layers(words), *mnist, *seeds)


def _layers(words: tuple[str, ...]) -> tuple[str, ...]:
    model = _given("model", words) or ""
    small = next((layers for name, layers in SMALL_MODELS.items() if model.startswith(name)), None)
    return () if small is None or _given(small.partition("=")[0], words) else (small,)


def _given(key: str, words: tuple[str, ...]) -> str | None:
    return next((word.partition("=")[2] for word in words if word.startswith(f"{key}=")), None)


def as_run(command: Command) -> list[str]:
    """The words of a command and what makes it small, every key as it is given last."""
    words = [*command.words, *command.more]
    keys = [word.partition("=")[0] if "=" in word else None for word in words]
    return [word for at, word in enumerate(words) if keys[at] is None or keys[at] not in keys[at + 1 :]]


def fault_of_unrun(words: tuple[str, ...]) -> str | None:
    """A goal or an extra that does not exist in a command that is only checked; None when all is right."""
    if words[0] == "make":
        goals = set(_GOAL.findall((ROOT / "Makefile").read_text(encoding="utf-8")))
        unknown = [word for word in words[1:] if "=" not in word and word not in goals]
        return f"no goal {unknown} in the Makefile" if unknown else None
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    asked = [extra for word in words for part in re.findall(r"\[([\w,]+)\]", word) for extra in part.split(",")]
    unknown = [extra for extra in asked if extra not in extras]
    return f"no extra {unknown} in pyproject.toml" if unknown else None


UNRUN = ("make", "pip")
