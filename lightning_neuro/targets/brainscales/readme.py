"""Writes the artefact's README: how to run it on EBRAINS, what is in the folder, what was predicted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lightning_neuro.report.wording import flat
from lightning_neuro.targets.brainscales.nir_profile import chain_of
from lightning_neuro.targets.brainscales.prepared import Prepared
from lightning_neuro.targets.brainscales.script import BY_MEMBRANE, TEMPLATES, hxtorch_runs, number


def write_readme(prepared: Prepared, folder: Path, resources: Mapping[str, object]) -> None:
    """Write ``README.md``; called again with the numbers when the checks have run.

    Args:
        prepared: the artefact's content.
        folder: the artefact.
        resources: numbers of the report; empty before the checks.
    """
    network = prepared.network
    blocks = [block for run in prepared.runs for block in run.placement.blocks]
    text = TEMPLATES.get_template("README.md.j2").render(
        title=prepared.title,
        samples=prepared.inputs.samples,
        layers=[(layer, number(layer.tau_mem_us), number(layer.tau_syn_us)) for layer in network.layers],
        notes=network.notes,
        runs=len(prepared.runs),
        played=len(hxtorch_runs(prepared)) - len(prepared.runs),
        merged=max(block.circuits_per_neuron for block in blocks),
        shares=any(run.placement.shares_rows for run in prepared.runs),
        by_membrane=network.readout in BY_MEMBRANE,
        nir=chain_of(network),
        numbers=list(flat(resources)),
    )
    (folder / "README.md").write_text(text)
