"""The target itself: settings, constraints, writer and proofs in one frozen object that Hydra builds."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from lightning_neuro.errors import ConfigError, ConstraintError, Violation
from lightning_neuro.graph import golden
from lightning_neuro.graph.first_spike_steps import Decay, Discretisation
from lightning_neuro.graph.golden import Arithmetic
from lightning_neuro.graph.hardware_graph import HardwareGraph
from lightning_neuro.graph.inputs import raster_of
from lightning_neuro.graph.widths import QuantizeSpec
from lightning_neuro.targets.base import Job, Progress, Verification
from lightning_neuro.targets.proofs import run_proofs
from lightning_neuro.targets.spinnaker.artefact import described, write_artefact
from lightning_neuro.targets.spinnaker.constraints import Limits, check_graph
from lightning_neuro.targets.spinnaker.energy import BOARD_W, CHIP_W, CORE_W, PACKET_J
from lightning_neuro.targets.spinnaker.maps import ConvolutionBy, connector_violations, lay_out
from lightning_neuro.targets.spinnaker.notes import notes
from lightning_neuro.targets.spinnaker.number_rules import check_numbers
from lightning_neuro.targets.spinnaker.plan import plan_network
from lightning_neuro.targets.spinnaker.proof import Subject
from lightning_neuro.targets.spinnaker.scaling import ScaledPlan, loads_of, scale_plan
from lightning_neuro.targets.spinnaker.verify import PROOFS

CALIBRATION_SAMPLES = 256
"""Samples that the largest sums of a step are taken from."""

ASSUMPTIONS = (
    "SpiNNaker's fixed-point arithmetic is emulated as the programs of sPyNNaker 7.4.1 compute, not run on a board",
    "packets are neither lost nor late on the machine",
    f"energy per sample is a model: {CHIP_W:g} W per chip in use (or {BOARD_W:g} W per board), {CORE_W:g} W per core, "
    f"for the whole sample in real time, and {PACKET_J * 1e9:g} nJ per packet and chip",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpinnakerTarget:
    """A PyNN script for SpiNNaker, compared with NEST, emulated, and mapped on a virtual board.

    Args:
        timestep_ms: step of the machine in ms; None is the network's own, 0.1 or more for one in continuous time.
            Decays are per step: it changes no spike.
        boards: most boards of 48 chips.
        convolution: "connector", "list" of synapses, or "auto": connectors where they are exact.
        weight_error: largest root mean square error of a layer's 16-bit weights, relative to that of its weights.
        points: largest difference of accuracies that the machine's arithmetic may make, in percentage points.
        timeout_s: most seconds of one run of a simulator.

    Raises:
        ConfigError: a setting is not positive, or names no way to build convolutions.
    """

    timestep_ms: float | None
    boards: int
    convolution: str
    weight_error: float
    points: float
    timeout_s: float

    name = "spinnaker"
    default_spec = QuantizeSpec(weight_bits=16, state_bits=32, leak_bits=16)
    # dt/tau = 2^-8 is a number that the machine's arithmetic holds exactly, unlike 1/100 or 1/200; 128 steps cost
    # Yin-Yang networks up to two points of accuracy
    discretisation = Discretisation(decay=Decay.EXACT, dt_s=None, steps_per_tau=256, relays=False)

    def __post_init__(self) -> None:
        for key in ("timestep_ms", "boards", "weight_error", "points", "timeout_s"):
            value = getattr(self, key)
            if value is not None and not value > 0:
                raise ConfigError(
                    f"target.{key} must be a positive number, not {value!r}",
                    where=f"target.{key}",
                    why="a machine has a step, at least one board, and checks are ended after a time",
                    next_command=f"target.{key}=1",
                )
        choices = [by.value for by in ConvolutionBy]
        if self.convolution not in choices:
            raise ConfigError(
                f"target.convolution must be one of {', '.join(choices)}, not {self.convolution!r}",
                where="target.convolution",
                why="a convolution is a connector of sPyNNaker or a list of synapses",
                next_command="target.convolution=auto",
            )

    @property
    def limits(self) -> Limits:
        """What bounds a network."""
        return Limits(boards=self.boards, timestep_ms=self.timestep_ms, weight_error=self.weight_error)

    def plan(self, job: Job) -> ScaledPlan:
        """The network as PyNN has it, with factors and shifts from calibration samples."""
        plan = lay_out(plan_network(job.graph, self.timestep_ms), ConvolutionBy(self.convolution))
        scaled = scale_plan(plan, loads_of(plan, _activity(job)))
        driven = (dataclasses.replace(p, drive=scaled.buffers[p.name].expected) for p in scaled.plan.populations)
        return dataclasses.replace(scaled, plan=dataclasses.replace(scaled.plan, populations=tuple(driven)))

    def arithmetic_for(self, graph: HardwareGraph) -> Arithmetic:
        """Arithmetic of the golden model that the artefact is compared with."""
        return "real"

    def own_rounding(self, graph: HardwareGraph, integers: HardwareGraph | None) -> None:
        """Integers as every target takes them."""
        return None

    def default_samples(self, graph: HardwareGraph) -> int:
        """Inputs run through the artefact where the user names no number."""
        return 50

    def check(self, graph: HardwareGraph) -> tuple[Violation, ...]:
        """Every constraint the graph breaks."""
        found = check_graph(graph, self.limits)
        if found or self.convolution != ConvolutionBy.CONNECTOR.value:
            return found
        return tuple(connector_violations(plan_network(graph, self.timestep_ms)))

    def write(self, job: Job, folder: Path) -> None:
        """Write the artefact, recorded samples included, into an empty folder.

        Raises:
            ConstraintError: the machine's numbers cannot hold the sums that calibration data bring.
        """
        scaled = self.plan(job)
        if violations := check_numbers(scaled, self.limits):
            raise ConstraintError(self.name, violations)
        write_artefact(scaled.plan, folder, job.vectors, job.record, job.source_sha256)

    def verify(self, job: Job, folder: Path, progress: Progress) -> Verification:
        """Run the artefact's own files in every way that is installed here."""
        subject = Subject(
            job=job,
            scaled=self.plan(job),
            artefact=folder,
            boards=self.boards,
            points=self.points,
            timeout_s=self.timeout_s,
            progress=progress,
        )
        proofs, seconds = run_proofs(PROOFS, subject, "SpiNNaker checks", progress)
        resources = {key: value for proof in proofs for key, value in proof.resources.items()}
        described(subject.plan, folder, len(job.vectors.spikes), resources)
        return Verification(
            checks=tuple(check for proof in proofs for check in proof.checks),
            resources=resources,
            assumptions=(*notes(job.graph, subject.plan), *ASSUMPTIONS),
            seconds=seconds,
            accuracy=next((proof.share for proof in proofs if proof.share is not None), None),
            plots=tuple(plot for proof in proofs for plot in proof.plots),
        )


def _activity(job: Job) -> dict[str, golden.Raster]:
    """Rasters of the input and of every layer in calibration samples, or in the recorded ones where there are none."""
    stored = job.record.calibration if job.record is not None else None
    if stored is None or not len(stored):
        return {job.graph.input.name: job.vectors.spikes, **job.vectors.expected.spikes}
    spikes = raster_of(stored.take(slice(CALIBRATION_SAMPLES)), job.graph, "real")
    recorded = golden.run(job.graph, spikes, arithmetic="real", record=True)
    return {job.graph.input.name: spikes, **recorded.spikes}
