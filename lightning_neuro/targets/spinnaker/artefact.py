"""Writes the artefact: script, weights, recorded samples, settings, and the network as NIR."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import nir
import numpy as np
from numpy.typing import NDArray

from lightning_neuro import __version__
from lightning_neuro.checkpoint import NetworkRecord, nir_to_plain
from lightning_neuro.graph.nir_hdf5 import write_graph
from lightning_neuro.targets.base import TestVectors
from lightning_neuro.targets.spinnaker.bundles import Bundle, bundles
from lightning_neuro.targets.spinnaker.estimates import core_loads, real_time
from lightning_neuro.targets.spinnaker.other_weights import TOPOLOGY_METADATA, structure_of
from lightning_neuro.targets.spinnaker.plan import SpinnakerPlan
from lightning_neuro.targets.spinnaker.readme import write_readme
from lightning_neuro.targets.spinnaker.script import TEMPLATES, bias_key, render_script

SCRIPT, WEIGHTS, TESTSET = "network.py", "weights.npz", "testset.npz"
SETTINGS, MANIFEST, NIR = "spynnaker.cfg", "manifest.json", "network.nir"


def write_artefact(
    plan: SpinnakerPlan,
    folder: Path,
    vectors: TestVectors,
    record: NetworkRecord | None,
    source_sha256: str | None = None,
) -> None:
    """Write everything into an empty folder.

    Args:
        plan: the network.
        folder: existing folder.
        vectors: recorded samples and their golden recording.
        record: where the network came from; None for a graph that was built by hand.
        source_sha256: of the file it came from.
    """
    activity = {plan.input.name: vectors.spikes, **vectors.expected.spikes}
    script = folder / SCRIPT
    script.write_text(render_script(plan, title_of(plan)))
    script.chmod(0o755)
    np.savez_compressed(folder / WEIGHTS, **weight_arrays(plan))
    np.savez_compressed(folder / TESTSET, **testset_arrays(plan, vectors))
    needs = real_time(core_loads(plan, activity))
    (folder / SETTINGS).write_text(TEMPLATES.get_template("spynnaker.cfg.j2").render(**needs))
    (folder / MANIFEST).write_text(json.dumps(manifest(plan, record, source_sha256), indent=1) + "\n")
    if record is not None:
        write_nir(record, folder)
    described(plan, folder, len(vectors.spikes), {})


def described(plan: SpinnakerPlan, folder: Path, samples: int, resources: Mapping[str, object]) -> None:
    """Write the README, with the numbers of the report once there are some."""
    nir_there = (folder / NIR).is_file()
    write_readme(plan, folder, title=title_of(plan), samples=samples, nir=nir_there, resources=resources)


def title_of(plan: SpinnakerPlan) -> str:
    """Sizes of the input and of every layer, "64-128-10"."""
    return "-".join(str(n) for n in (plan.input.size, *(p.size for p in plan.populations)))


def weight_arrays(plan: SpinnakerPlan) -> dict[str, Any]:
    """Arrays of ``weights.npz``: per layer decays, thresholds, reset potentials and biases, per projection weights."""
    arrays: dict[str, NDArray[Any]] = {}
    for p in plan.populations:
        arrays[f"{p.label}.decay_mem"] = p.cell.decay_mem
        if p.cell.decay_syn is not None:
            arrays[f"{p.label}.decay_syn"] = p.cell.decay_syn
        arrays[f"{p.label}.threshold"], arrays[f"{p.label}.v_reset"] = p.cell.threshold, p.cell.v_reset
        for bias in p.biases:
            with np.errstate(divide="ignore", invalid="ignore"):
                start = np.where(p.cell.decay_mem > 0, bias.values / p.cell.decay_mem, 0.0)
            arrays[bias_key(p, bias)] = start if bias.initial else bias.values
    for bundle in bundles(plan):
        arrays |= bundle.arrays()
    return arrays


def testset_arrays(plan: SpinnakerPlan, vectors: TestVectors) -> dict[str, Any]:
    """Arrays of ``testset.npz``: input spikes, labels, and what every layer must do."""
    expected = {
        f"expected.{p.label}": vectors.expected.spikes[p.name].astype(np.uint8)
        if p.cell.spiking
        else vectors.expected.membrane[p.name]
        for p in plan.populations
    }
    return {"spikes": vectors.spikes.astype(np.uint8), "labels": vectors.labels, **expected}


testset_arrays.__test__ = False  # type: ignore[attr-defined]  # not a pytest function


def manifest(plan: SpinnakerPlan, record: NetworkRecord | None, source_sha256: str | None) -> dict[str, object]:
    """Plain values about how the script was made, and what another checkpoint has to agree with."""
    return {
        "written_by": f"lightning_neuro {__version__}",
        "source_sha256": source_sha256,
        "versions": {name: _version(name) for name in ("numpy", "PyNN", "nest-simulator", "sPyNNaker")},
        "timestep_ms": plan.timestep_ms,
        "steps": plan.steps,
        "output": plan.labels[plan.output],
        "readout": plan.readout.value,
        "layers": {
            p.label: {
                "name": p.name,
                "neurons": p.size,
                "cell": p.cell.kind.value,
                "refractory_steps": p.cell.refractory_steps,
                "spiking": p.cell.spiking,
                "scale": p.scale,
                "drive": p.drive,
                "behind": {backend.value: steps for backend, steps in p.shift.items()},
            }
            for p in plan.populations
        },
        "projections": {
            b.label: {"name": b.first.name, "pre": b.first.pre, "post": b.first.post, "delay_steps": _delay_steps(b)}
            for b in bundles(plan)
        },
        "topology": {} if record is None else topology(record),
    }


def _delay_steps(bundle: Bundle) -> int | list[int]:
    """Delay of a bundle, or the shortest and the longest."""
    steps = [p.steps for p in bundle.parts]
    return steps[0] if len(steps) == 1 else [min(steps), max(steps)]


def topology(record: NetworkRecord) -> dict[str, object]:
    """What has to be the same in another checkpoint for its weights to fit the script."""
    said = record.metadata.to_dict()
    return {"network": structure_of(nir_to_plain(record.graph)), **{key: said.get(key) for key in TOPOLOGY_METADATA}}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def write_nir(record: NetworkRecord, folder: Path) -> None:
    """The network as NIR, and beside it what SpiNNaker2's importer has to be told since NIR cannot say it."""
    nodes, edges = record.graph.nodes, record.graph.edges
    graph = nir.NIRGraph(nodes=nodes, edges=edges, metadata=record.metadata.to_dict(), type_check=False)
    write_graph(folder / NIR, graph)
    resets = {name: f"{reset.kind.value}, delay {reset.delay}" for name, reset in record.metadata.resets.items()}
    beside = {
        "reset": resets,
        "integrator": "forward",
        "dt_s": record.metadata.dt_s,
        "conn_delay": 1,
        "readout": record.metadata.readout.value,
        "steps": record.metadata.steps,
    }
    (folder / "network.json").write_text(json.dumps(beside, indent=1) + "\n")
