"""A long simulation cut into shorter ones that run side by side: vectors by runs, and their results put together.

Every run of the testbench begins from reset states, so the place at which the list of runs is cut changes no value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from lightning_neuro.errors import ToolError
from lightning_neuro.targets.fpga.ghdl import Mismatch, Simulation
from lightning_neuro.targets.fpga.vectors import STRESSED_RUNS

RUNS_MAX = 4000
"""Most runs of one simulation; the testbench notes the mode of each in a table of 4,096."""
RUNS_WORTH_IT = 8  # fewer runs take less time than another simulator needs to elaborate the design

Lines = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """The text files of a testbench, by runs.

    Args:
        stimulus: lines of every run.
        expected: lines of every run, by layer.
        output: lines of every run.
    """

    stimulus: tuple[Lines, ...]
    expected: tuple[tuple[Lines, ...], ...]
    output: tuple[Lines, ...]

    @property
    def samples(self) -> tuple[int, ...]:
        """Sample of every run."""
        return tuple(int(lines[0].split()[0]) for lines in self.stimulus)


def read_bench(folder: Path) -> Bench:
    """Read a testbench's files; lines beyond the last run go with it, so that too many are noticed there.

    Args:
        folder: ``testbench/`` of an artefact.

    Raises:
        ToolError: a file does not say what it should.
    """
    try:
        lines = (folder / "stimulus.txt").read_text().splitlines()
        stimulus, at = [], 1
        for _ in range(int(lines[0])):
            steps = int(lines[at].split()[2])
            stimulus.append(tuple(lines[at : at + 1 + steps]))
            at += 1 + steps
        lengths = [len(run) - 1 for run in stimulus]
        layers = sorted(folder.glob("expected_[0-9]*.txt"), key=lambda path: int(path.stem.rpartition("_")[2]))
        return Bench(
            stimulus=tuple(stimulus),
            expected=tuple(_by_length(path.read_text().splitlines(), lengths) for path in layers),
            output=_by_last_beat((folder / "expected_output.txt").read_text().splitlines(), len(lengths)),
        )
    except (ValueError, IndexError) as error:
        raise ToolError(
            "the recorded vectors cannot be read",
            where=str(folder),
            why=f"a file was changed after it was written: {error}",
            next_command="deploy PATH target=fpga    (writes them anew)",
        ) from error


def _by_length(lines: Sequence[str], lengths: Sequence[int]) -> tuple[Lines, ...]:
    ends = [*np.cumsum(lengths)[:-1].tolist(), len(lines)]
    return tuple(tuple(lines[start:end]) for start, end in zip([0, *ends[:-1]], ends, strict=True))


def _by_last_beat(lines: Sequence[str], runs: int) -> tuple[Lines, ...]:
    ends = [k + 1 for k, line in enumerate(lines) if line.startswith("2")][: runs - 1]
    ends += [len(lines)] * (runs - len(ends))
    return tuple(tuple(lines[start:end]) for start, end in zip([0, *ends[:-1]], ends, strict=True))


def write_bench(bench: Bench, runs: Sequence[int], folder: Path) -> None:
    """Write the files of some runs into a folder, which is made.

    Args:
        bench: all runs.
        runs: numbers of those to write, in order.
        folder: new.
    """
    folder.mkdir()
    _write(folder / "stimulus.txt", [str(len(runs)), *chain.from_iterable(bench.stimulus[run] for run in runs)])
    for index, layer in enumerate(bench.expected):
        _write(folder / f"expected_{index}.txt", [*chain.from_iterable(layer[run] for run in runs)])
    _write(folder / "expected_output.txt", [*chain.from_iterable(bench.output[run] for run in runs)])


def _write(path: Path, lines: Sequence[str]) -> None:
    path.write_bytes(("\n".join(lines) + "\n").encode())


def cut(runs: int, cores: int) -> tuple[range, ...]:
    """Runs of each simulation: about equally many, the stressed ones at the end together.

    Args:
        runs: in all.
        cores: of this machine.

    >>> cut(6, 2), cut(22, 2)
    ((range(0, 6),), (range(0, 11), range(11, 22)))
    """
    parts = max(min(cores, runs // RUNS_WORTH_IT), -(-runs // RUNS_MAX), 1)
    bounds = [round(k * runs / parts) for k in range(parts)]
    bounds = [min(bound, max(0, runs - STRESSED_RUNS)) for bound in bounds]
    return tuple(range(start, end) for start, end in zip(bounds, [*bounds[1:], runs], strict=True) if end > start)


def merged(parts: Sequence[Simulation], beats: Sequence[int]) -> Simulation:
    """What the parts found, as one simulation would have told it.

    Args:
        parts: results in the order of the runs.
        beats: beats of the output stream expected of each part.
    """
    compared = tuple(np.sum([part.compared for part in parts], axis=0).tolist())
    wrong = tuple(np.sum([part.wrong for part in parts], axis=0).tolist())
    stalled = next((part.verdict for part in parts if part.verdict.startswith("STALLED")), None)
    passed = all(part.verdict.startswith("PASSED") for part in parts)
    word = "PASSED" if passed else "FAILED"
    found = [part.first for part in parts if part.first is not None]
    return Simulation(
        verdict=stalled or f"{word} {sum(compared)} values compared, {sum(wrong)} differ",
        compared=compared,
        wrong=wrong,
        first=min(found, key=Mismatch.place, default=None),
        stream_difference=_stream_difference(parts, beats),
        cycles=np.concatenate([part.cycles for part in parts]),
        output="".join(part.output for part in parts),
    )


def _stream_difference(parts: Sequence[Simulation], beats: Sequence[int]) -> str:
    before = 0
    for part, count in zip(parts, beats, strict=True):
        if part.stream_difference:
            head, _, rest = part.stream_difference.partition(" expected=")
            beat = int(head.removeprefix("STREAM beat="))
            return f"STREAM beat={before + beat} expected={rest}"
        before += count
    return ""
