"""The target itself: settings, constraints, writer and proof in one frozen object that Hydra builds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lightning_neuro.errors import ConfigError, Violation
from lightning_neuro.graph.first_spike_steps import Decay, Discretisation
from lightning_neuro.graph.golden import Arithmetic
from lightning_neuro.graph.hardware_graph import HardwareGraph
from lightning_neuro.graph.widths import DEFAULT_SPEC
from lightning_neuro.report import Command
from lightning_neuro.targets.base import Job, Progress, Verification
from lightning_neuro.targets.fpga.artefact import write_artefact, write_readme
from lightning_neuro.targets.fpga.constraints import check_graph, layer_sizes
from lightning_neuro.targets.fpga.devices import capacity_of
from lightning_neuro.targets.fpga.lanes import Lanes, cycles_per_step, resolve_lanes
from lightning_neuro.targets.fpga.plan import LayerPlan, plan_network
from lightning_neuro.targets.fpga.subject import Subject
from lightning_neuro.targets.fpga.verify import proofs
from lightning_neuro.targets.proofs import run_proofs

SAMPLES_MIN, SAMPLES_MAX = 4, 20
STEPS_IN_A_MINUTE = 4096  # of GHDL with a layer of a hundred neurons
CYCLES_IN_TWO_MINUTES = 150_000  # expected ones, where address generators make many cycles of a step
STEPS_ASSUMED = 16  # where neither data nor file say how long a sample is
REPRODUCE = (
    Command(what="every spike and membrane in GHDL", line="sh testbench/run_ghdl.sh"),
    Command(what="synthesis and timing in Vivado (not run here)", line="vivado -mode batch -source vivado.tcl"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FpgaTarget:
    """VHDL for any FPGA, area for Xilinx 7-series.

    Args:
        lanes: neurons updated per clock cycle: "auto", one number for all layers, or one number per layer.
        clock_mhz: clock in MHz that latencies are stated at.
        part: Vivado's name of the device, for ``vivado.tcl``.
        synthesis: run Yosys for the area.
        timeout_s: most seconds of one run of a tool.

    Raises:
        ConfigError: clock or timeout is not positive.
    """

    lanes: Lanes
    clock_mhz: float
    part: str
    synthesis: bool
    timeout_s: float

    name = "fpga"
    default_spec = DEFAULT_SPEC
    # four trained Yin-Yang networks lose 0.8 to 1.7 points of accuracy at 128 steps in a time constant, 0 to 0.3 at 256
    discretisation = Discretisation(decay=Decay.SHIFT, dt_s=None, steps_per_tau=256, relays=True)

    def __post_init__(self) -> None:
        for key in ("clock_mhz", "timeout_s"):
            if not getattr(self, key) > 0:
                raise ConfigError(
                    f"target.{key} must be a positive number, not {getattr(self, key)!r}",
                    where=f"target.{key}",
                    why="latencies are stated at this clock, and tools are ended after this time",
                    next_command=f"target.{key}=100",
                )
        if not isinstance(self.lanes, str | int):  # Hydra's lists are not hashable; a frozen target holds a tuple
            object.__setattr__(self, "lanes", tuple(self.lanes))

    def plan(self, graph: HardwareGraph) -> tuple[LayerPlan, ...]:
        """Layers as the hardware has them."""
        return plan_network(graph, resolve_lanes(self.lanes, layer_sizes(graph)))

    def arithmetic_for(self, graph: HardwareGraph) -> Arithmetic:
        """Arithmetic of the golden model that the artefact is compared with."""
        return "fixed"

    def own_rounding(self, graph: HardwareGraph, integers: HardwareGraph | None) -> None:
        """Integers as every target takes them."""
        return None

    def default_samples(self, graph: HardwareGraph) -> int:
        """Inputs run through the artefact where the user names no number: a minute or two of simulation."""
        sizes = layer_sizes(graph)
        lanes = resolve_lanes(self.lanes, sizes)
        cycles = max(cycles_per_step(size, n) for size, n in zip(sizes, lanes, strict=True))
        steps = graph.steps or STEPS_ASSUMED
        most = min(STEPS_IN_A_MINUTE // steps, CYCLES_IN_TWO_MINUTES // (steps * cycles))
        return max(SAMPLES_MIN, min(SAMPLES_MAX, most))

    def check(self, graph: HardwareGraph) -> tuple[Violation, ...]:
        """Every constraint the graph breaks."""
        return check_graph(graph, self.lanes)

    def write(self, job: Job, folder: Path) -> None:
        """Write the artefact, test vectors included, into an empty folder."""
        layers = self.plan(job.graph)
        write_artefact(job.graph, layers, folder, job.vectors, part=self.part, clock_mhz=self.clock_mhz)

    def verify(self, job: Job, folder: Path, progress: Progress) -> Verification:
        """Simulate the artefact's own files, check their translation, count cells."""
        layers = self.plan(job.graph)
        subject = Subject(
            graph=job.graph,
            layers=layers,
            artefact=folder,
            vectors=job.vectors,
            clock_mhz=self.clock_mhz,
            timeout_s=self.timeout_s,
        )
        found, seconds = run_proofs(proofs(self.synthesis), subject, "FPGA checks", progress)
        resources = {key: value for proof in found for key, value in proof.resources.items()}
        write_readme(job.graph, layers, folder, part=self.part, clock_mhz=self.clock_mhz, resources=resources)
        return Verification(
            checks=tuple(check for proof in found for check in proof.checks),
            resources=resources,
            assumptions=self._assumptions(),
            seconds=seconds,
            accuracy=next((proof.share for proof in found if proof.share is not None), None),
            observed=tuple(each for proof in found for each in proof.observed),
            words={layer.name: (-(2 ** (layer.state_bits - 1)), 2 ** (layer.state_bits - 1) - 1) for layer in layers},
            capacity=capacity_of(self.part, resources),
            reproduce=REPRODUCE,
        )

    def _assumptions(self) -> tuple[str, ...]:
        return (
            f"latencies hold at {self.clock_mhz:g} MHz; timing was not analysed (no open timing tool for 7-series)",
            "each input is active at most once per step, so sums stay within their width",
            "area: Yosys synth_xilinx, hierarchy kept, before placement",
        )

