"""What is deployed: a checkpoint or a NIR file as one record, and the inputs to test it with."""

from __future__ import annotations

import dataclasses
import hashlib
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nir
import numpy as np

from lightning_neuro.checkpoint import Inputs, NetworkRecord, first_samples, load_record
from lightning_neuro.data.spike_set import SpikeSet
from lightning_neuro.data.spike_time_set import SpikeTimeSet
from lightning_neuro.errors import ConfigError, NirError, first_line
from lightning_neuro.graph.digest import graph_sha256
from lightning_neuro.graph.hardware_graph import HardwareGraph, Reset, ResetKind, TimeBase
from lightning_neuro.graph.lower import lower
from lightning_neuro.graph.metadata import Metadata
from lightning_neuro.graph.nir_file import FOREIGN, read_nir
from lightning_neuro.graph.nir_hdf5 import write_graph
from lightning_neuro.graph.stored import StoredQuantization
from lightning_neuro.report import Check, Outcome

RANDOM_STEPS = 32
RANDOM_RATE = 0.1  # spikes per input and step of made-up test inputs
RANDOM_SEED = 0
RANDOM_PART = 0.3  # of a sample, in which made-up spikes of a network in continuous time fall


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LoadedSource:
    """The file and what was in it."""

    path: Path
    record: NetworkRecord


def load_source(path: Path, *, dt_s: float | None) -> LoadedSource:
    """Read a ``.ckpt`` or ``.nir`` file.

    Args:
        path: file; its ending decides.
        dt_s: step in seconds, for a NIR file without metadata.

    Raises:
        NeuroError: unreadable, of another kind, or without what deployment needs.
    """
    reader = READERS.get(path.suffix)
    if reader is None:
        raise ConfigError(
            f"{path.name!r} ends neither in .ckpt nor in .nir",
            where=str(path),
            why="checkpoints and NIR files can be deployed",
            next_command="deploy outputs/latest/best.ckpt target=fpga",
        )
    return LoadedSource(path=path, record=reader(path, dt_s))


def _from_checkpoint(path: Path, dt_s: float | None) -> NetworkRecord:
    record = load_record(path)
    if record.metadata.time is TimeBase.CONTINUOUS:
        return record  # dt says how fine the hardware's steps are
    if dt_s is not None and not np.isclose(dt_s, record.metadata.dt_s, rtol=1e-9):
        raise ConfigError(
            f"dt={dt_s:g} contradicts the checkpoint's {record.metadata.dt_s:g} s",
            where=str(path),
            why="the network was trained with its own step",
            next_command="leave dt out",
        )
    return record


def _from_nir(path: Path, dt_s: float | None) -> NetworkRecord:
    graph, metadata = read_nir(path, dt_s=dt_s)
    return NetworkRecord(
        graph=graph, metadata=metadata, evaluation=None, calibration=None, quantized=_stored_formats(metadata, path)
    )


def _stored_formats(metadata: Metadata, path: Path) -> StoredQuantization | None:
    if not metadata.formats:
        return None
    try:
        return StoredQuantization.from_json(metadata.formats)
    except (ValueError, KeyError, TypeError) as error:
        raise NirError(
            f"number formats in the metadata are damaged: {first_line(error)}",
            where=str(path),
            why="they say how the trained network was rounded",
            next_command="export the network again (ExportNIR callback)",
        ) from error


READERS: dict[str, Callable[[Path, float | None], NetworkRecord]] = {
    ".ckpt": _from_checkpoint,
    ".nir": _from_nir,
}


RESETS = {kind.value: Reset(kind=kind, delay=0) for kind in (ResetKind.ZERO, ResetKind.SUBTRACT)}


def with_reset(source: LoadedSource, reset: str | None) -> NetworkRecord:
    """The record with the reset that the user names for a file of another tool; NIR itself only knows v_reset.

    Args:
        source: what was loaded.
        reset: "zero" (to v_reset) or "subtract", at once, for every spiking node; None changes nothing.

    Raises:
        ConfigError: an unknown reset, or a network that says its resets itself.
    """
    record = source.record
    if reset is None:
        return record
    if reset not in RESETS or record.metadata.tool != FOREIGN:
        raise ConfigError(
            f"reset={reset} is not possible",
            where=str(source.path),
            why=f"choices are {', '.join(RESETS)}, for a NIR file of another tool; ours say their resets themselves",
            next_command="leave reset out" if reset in RESETS else "reset=subtract",
        )
    resets = {
        name: old if old.kind is ResetKind.NONE else RESETS[reset] for name, old in record.metadata.resets.items()
    }
    said = (*record.metadata.assumptions, f"reset = {reset}, at once, was given by hand")
    return dataclasses.replace(record, metadata=dataclasses.replace(record.metadata, resets=resets, assumptions=said))


def file_sha256(path: Path) -> str:
    """Hex digest of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def test_inputs(record: NetworkRecord, graph: HardwareGraph, samples: int) -> tuple[Inputs, tuple[str, ...]]:
    """Inputs to compare artefact and golden model on, with sentences about where they come from.

    The first evaluation samples of the checkpoint; a NIR file has none, so random spikes stand in.

    Args:
        record: what was loaded.
        graph: the network as it was lowered, in steps or in continuous time; so are the inputs.
        samples: how many.
    """
    if samples < 1:
        raise ConfigError(
            f"verify.samples={samples} must be 1 or more",
            where="verify.samples",
            why="an artefact that was never run is not proved",
            next_command="verify.samples=20",
        )
    stored = record.evaluation
    if stored is not None and len(stored):
        return first_samples(stored, samples), ()
    if graph.time is TimeBase.CONTINUOUS:
        return _random_times(graph, samples)
    steps = graph.steps or RANDOM_STEPS
    generator = np.random.default_rng(RANDOM_SEED)
    shape = (steps, graph.input.size)
    spikes = np.stack([(generator.random(shape) < RANDOM_RATE).astype(np.uint8) for _ in range(samples)])
    made_up = SpikeSet(spikes=spikes, labels=np.full(samples, -1, np.int64))
    return made_up, (f"no recorded data in the file: tested with random spikes, {RANDOM_RATE:g} per input and step",)


def _random_times(graph: HardwareGraph, samples: int) -> tuple[SpikeTimeSet, tuple[str, ...]]:
    latest = RANDOM_PART * (graph.horizon_s or 1.0)
    generator = np.random.default_rng(RANDOM_SEED)
    times = np.stack([generator.uniform(0.0, latest, graph.input.size) for _ in range(samples)])
    made_up = SpikeTimeSet(times=times, labels=np.full(samples, -1, np.int64))
    return made_up, (f"no recorded data in the file: tested with one random spike per input within {latest:g} s",)


test_inputs.__test__ = False  # type: ignore[attr-defined]  # not a pytest function


def nir_round_trip(record: NetworkRecord, graph: HardwareGraph) -> Check:
    """Write the network as NIR, read it back, lower it, and compare every field with the graph in use."""
    start = time.perf_counter()
    nodes, edges = record.graph.nodes, record.graph.edges
    record_graph = nir.NIRGraph(nodes=nodes, edges=edges, metadata=record.metadata.to_dict(), type_check=False)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "network.nir"
        write_graph(file, record_graph)
        again = lower(*read_nir(file, dt_s=None))
    expected, got = graph_sha256(graph)[:16], graph_sha256(again)[:16]
    same = expected == got
    return Check(
        name="nir_round_trip",
        outcome=Outcome.PASSED if same else Outcome.FAILED,
        expected="the same network",
        got="the same network" if same else f"another network ({got} instead of {expected})",
        detail="written as NIR, read back and lowered",
        seconds=time.perf_counter() - start,
    )
