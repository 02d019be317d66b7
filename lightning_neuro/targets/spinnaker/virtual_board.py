"""sPyNNaker maps the artefact onto a board that does not exist, and what it would load is compared with the plan.

A virtual board goes through everything short of the hardware: it splits, places and routes the network and generates
the memory of every core. It raises no objection to mistakes that only a board would show, or nobody: weights whose
sign is dropped or that do not fit 16 bits, delays that are rounded, programs that are not installed, a machine that
grew. So nothing is taken on trust: the generated memory is decoded and compared synapse by synapse.
"""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from lightning_neuro.errors import ToolError
from lightning_neuro.extras import absent
from lightning_neuro.report import Check, Outcome
from lightning_neuro.targets.spinnaker.board_image import BoardImage, read_image
from lightning_neuro.targets.spinnaker.board_problems import (
    BoardExpectation,
    heard,
    mapping_problems,
    shift_differences,
    synapse_differences,
)
from lightning_neuro.targets.spinnaker.readback import synapses
from lightning_neuro.tools import run_tool

VIRTUAL_BOARD = "spynnaker_virtual_board"
SHIFTS = "spynnaker_ring_buffer_shifts"
SYNAPSES = "spynnaker_synapses"

_SETTINGS = "[Machine]\nvirtual_board = True\nversion = 5\n"
_PROBE = Path(__file__).with_name("board_probe.py")
_SHOWN = 3
_EXPECTED_WARNINGS = ("Data from a virtual run will be empty", "A timestep was entered that has forced SpiNNaker to")


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardRun:
    """What came of a virtual board.

    Args:
        checks: outcomes.
        image: what would be loaded; None when sPyNNaker could not map the network or is not installed.
        seconds: wall time.
    """

    checks: tuple[Check, ...]
    image: BoardImage | None
    seconds: float


def prove_on_virtual_board(artefact: Path, expected: BoardExpectation, timeout_s: float) -> BoardRun:
    """Run the artefact's own ``network.py`` on a virtual board and compare what would be loaded with the plan.

    Args:
        artefact: folder with ``network.py``.
        expected: the plan.
        timeout_s: most seconds of the run.
    """
    if reason := absent("sPyNNaker"):
        return BoardRun(checks=skipped(reason), image=None, seconds=0.0)
    start = time.perf_counter()
    try:
        image = map_network(artefact / "network.py", ("--backend", "spinnaker", "--virtual"), timeout_s)
    except (ToolError, OSError) as error:
        seconds = time.perf_counter() - start
        return BoardRun(checks=not_mapped(error, seconds), image=None, seconds=seconds)
    seconds = time.perf_counter() - start
    return BoardRun(checks=compare(image, expected, seconds), image=image, seconds=seconds)


def map_network(script: Path, arguments: tuple[str, ...], timeout_s: float) -> BoardImage:
    """Run a PyNN script on a virtual board, in its own process, home and folder, and read what would be loaded.

    Args:
        script: a script that imports ``pyNN.spiNNaker`` as a module and calls its ``end()``.
        arguments: of the script.
        timeout_s: most seconds.

    Raises:
        ToolError: sPyNNaker refused the network, crashed, or took too long.
    """
    with tempfile.TemporaryDirectory(prefix="lightning-neuro-") as folder:
        home, work = Path(folder, "home"), Path(folder, "work")
        home.mkdir()
        work.mkdir()
        (home / ".spynnaker.cfg").write_text(_SETTINGS)
        run = run_tool(
            [sys.executable, _PROBE, folder, script.resolve(), *arguments],
            cwd=work,
            timeout_s=timeout_s,
            env={"HOME": str(home), "TMPDIR": str(work), "PYTHONWARNINGS": "ignore"},
        )
        if not Path(folder, "probe.json").is_file():
            raise ToolError(
                "sPyNNaker never ran the network",
                where=str(script),
                why=f"the script ended before sim.end(): {(run.stderr or run.stdout).strip()[-400:]}",
                next_command=f"python {script} {' '.join(arguments)}",
            )
        return read_image(Path(folder))


def skipped(reason: str) -> tuple[Check, ...]:
    """The checks of this module, none of which could run."""
    return tuple(_check(name, Outcome.SKIPPED, None, reason, 0.0) for name in _EXPECTED)


def not_mapped(error: ToolError | OSError, seconds: float) -> tuple[Check, ...]:
    """The network does not map; what depends on it could not be looked at."""
    words = f"{error.what}: {error.why.strip()[-600:]}" if isinstance(error, ToolError) else str(error)
    first = _check(VIRTUAL_BOARD, Outcome.FAILED, None, words, seconds)
    rest = (_check(name, Outcome.SKIPPED, None, "the network did not map", 0.0) for name in (SHIFTS, SYNAPSES))
    return (first, *rest)


def compare(image: BoardImage, expected: BoardExpectation, seconds: float) -> tuple[Check, ...]:
    """Compare what would be loaded with the plan."""
    start = time.perf_counter()
    found = {pair: heard(s, pair[0] in expected.biases) for pair, s in synapses(image).items()}
    differences = synapse_differences(found, expected.synapses)
    reading = time.perf_counter() - start
    count = sum(len(s.pre) for s in found.values())
    return (
        _judge(VIRTUAL_BOARD, mapping_problems(image, expected), summary(image), seconds),
        _judge(SHIFTS, shift_differences(image, expected.shifts), _shifts(image), 0.0),
        _judge(SYNAPSES, differences, f"{count} synapses read back", reading),
    )


# -- words -----------------------------------------------------------------------------------------------------------

_EXPECTED = {
    VIRTUAL_BOARD: "maps within target.boards, every program is installed",
    SHIFTS: "shifts as in the emulator",
    SYNAPSES: "every 16-bit weight, sign and delay as planned",
}


def _judge(name: str, problems: list[str], got: str, seconds: float) -> Check:
    if not problems:
        return _check(name, Outcome.PASSED, got, "", seconds)
    left = len(problems) - _SHOWN
    words = "; ".join(problems[:_SHOWN]) + (f"; and {left} more" if left > 0 else "")
    return _check(name, Outcome.FAILED, got, words, seconds)


def _check(name: str, outcome: Outcome, got: str | None, detail: str, seconds: float) -> Check:
    return Check(
        name=name, outcome=outcome, expected=_EXPECTED[name], got=got, detail=detail, seconds=seconds
    )


def summary(image: BoardImage) -> str:
    """One line: cores, chips, boards, memory, routing entries."""
    return (
        f"{len(image.cores)} cores on {image.used_chips} of {image.chips} chips, {image.boards} board(s), "
        f"{image.sdram / 1e6:.1f} MB, {image.routing_entries} routing entries"
    )


def _shifts(image: BoardImage) -> str:
    by_layer = {p.layer: "/".join(map(str, p.shifts)) for p in image.populations.values() if p.shifts}
    return ", ".join(f"{layer} {shifts}" for layer, shifts in by_layer.items())


def telling(warnings: tuple[str, ...]) -> list[str]:
    """Warnings that say something about the network: not that a virtual board runs nothing, or slowly on purpose."""
    return [words for words in warnings if not words.startswith(_EXPECTED_WARNINGS)]


def board_resources(image: BoardImage) -> dict[str, object]:
    """Numbers for the report."""
    return {
        "spynnaker": image.version,
        "application_cores": len(image.cores),
        "chips": image.used_chips,
        "boards": image.boards,
        "sdram_bytes": image.sdram,
        "routing_entries": image.routing_entries,
        "layers": {name: _layer_resources(image, name) for name in image.layers},
        **({"spynnaker_warnings": warnings} if (warnings := telling(image.warnings)) else {}),
    }


def _layer_resources(image: BoardImage, name: str) -> dict[str, object]:
    populations = [p for p in image.populations.values() if p.layer == name]
    cores = [core for core in image.cores if core.layer == name]
    shifts = populations[0].shifts
    return {
        "neurons": sum(p.size for p in populations),
        "cores": len(cores),
        "sdram_bytes": sum(core.sdram for core in cores),
        **({"ring_buffer_shifts": list(shifts)} if shifts else {}),
    }
