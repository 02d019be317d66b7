"""The target itself: settings, constraints, writer and proofs in one frozen object that Hydra builds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lightning_neuro.errors import ConfigError, Violation
from lightning_neuro.graph.golden import Arithmetic
from lightning_neuro.graph.hardware_graph import FirstSpike, HardwareGraph, TimeBase
from lightning_neuro.graph.widths import QuantizeSpec
from lightning_neuro.neurons.chip_profiles import SPEEDUP
from lightning_neuro.targets.base import Job, Progress, Verification
from lightning_neuro.targets.brainscales.analog import RANGES, AnalogParameters
from lightning_neuro.targets.brainscales.artefact import described, write_artefact
from lightning_neuro.targets.brainscales.chip_file import named_profile
from lightning_neuro.targets.brainscales.constraints import Limits, check_graph
from lightning_neuro.targets.brainscales.estimates import ENERGY_SOURCE, cautions, resource_numbers
from lightning_neuro.targets.brainscales.mapping import chip_network
from lightning_neuro.targets.brainscales.mapping_cells import MappingOptions
from lightning_neuro.targets.brainscales.pictures import lsb_histograms
from lightning_neuro.targets.brainscales.placement_plot import placement_plot
from lightning_neuro.targets.brainscales.prepared import Prepared, prepare
from lightning_neuro.targets.brainscales.rounding import with_chip_weights
from lightning_neuro.targets.brainscales.subject import Prediction, Subject
from lightning_neuro.targets.brainscales.verify import PROOFS
from lightning_neuro.targets.proofs import run_proofs

TAU_SYN_US = 6.0  # of networks in continuous time where nobody says how fast they run: what published networks have
POSITIVE = ("speedup", "sample_us", "delta_tau_syn_us", "weight_scale", "runs", "chips", "samples", "timeout_s")
NOT_NEGATIVE = ("gap_us", "refractory_us", "seed", "points", "steps_points")
ASSUMPTIONS = (
    "no chip was used: the artefact passes the hardware constraint checks, its scripts were run by a stand-in for the "
    "chip's software, and accuracy on chips is predicted by an emulator of virtual ones",
    "the weight scale (LSB per threshold) belongs to a calibration; --scale-search of the scripts finds it on the chip",
    ENERGY_SOURCE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BrainscalesTarget:
    """Scripts for BrainScaleS-2 in PyNN and hxtorch, placed on the chip, and predicted on virtual chips.

    Args:
        speedup: how much faster than the network's time the chip runs; None is 1000, and for networks in continuous
            time, which know only ratios of times, what makes the shortest tau_syn ``TAU_SYN_US``.
        sample_us: length of a sample in hardware microseconds; None is the network's own.
        gap_us: silence between samples; None is 15 time constants.
        refractory_us: of neurons that may spike repeatedly; None is a tenth of tau_syn, at most half a step.
        delta_tau_syn_us: synaptic time constant that stands for delta synapses; None is the shortest that fits.
        leak, threshold: potentials in LSB of the CADC.
        i_synin_gm, synapse_dac_bias, membrane_capacitance: technical parameters of the whole chip.
        holdoff_us: silence after the refractory time.
        weight_scale: LSB of weight that let the current jump by the distance from leak to threshold.
        runs: most configurations of the chip that a network may be cut into.
        profile: of the virtual chips: its name, or the .json file of a chip that was fitted to a recording.
        chips: how many of them.
        seed: of their draws.
        samples: most test samples for each.
        points: percentage points of accuracy that virtual chips may cost, on average.
        steps_points: percentage points that continuous time may cost a network with steps.
        timeout_s: most seconds of one run of a script.

    Raises:
        ConfigError: a setting is out of its range.
    """

    speedup: float | None
    sample_us: float | None
    gap_us: float | None
    refractory_us: float | None
    delta_tau_syn_us: float | None
    leak: float
    threshold: float
    i_synin_gm: float
    synapse_dac_bias: float
    membrane_capacitance: float
    holdoff_us: float
    weight_scale: float
    runs: int
    profile: str
    chips: int
    seed: int
    samples: int
    points: float
    steps_points: float
    timeout_s: float

    name = "brainscales"
    default_spec = QuantizeSpec(weight_bits=7, state_bits=32, leak_bits=16)
    discretisation = None  # it takes networks in continuous time as they are

    def __post_init__(self) -> None:
        named_profile(self.profile, "target.profile")
        for key in POSITIVE:
            self._check(key, "a positive number", lambda value: value > 0)
        for key in NOT_NEGATIVE:
            self._check(key, "0 or more", lambda value: value >= 0)

    def _check(self, key: str, wanted: str, holds: object) -> None:
        value = getattr(self, key)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if value is not None and not (number and holds(value)):  # type: ignore[operator]
            raise ConfigError(
                f"target.{key} must be {wanted}, not {value!r}",
                where=f"target.{key}",
                why="times, counts and scales of a chip",
                next_command="deploy --help   (conf/target/brainscales.yaml holds the defaults)",
            )

    @property
    def analog(self) -> AnalogParameters:
        """The operating point."""
        return AnalogParameters(
            leak=self.leak,
            threshold=self.threshold,
            i_synin_gm=self.i_synin_gm,
            synapse_dac_bias=self.synapse_dac_bias,
            membrane_capacitance=self.membrane_capacitance,
            holdoff_us=self.holdoff_us,
            weight_scale=self.weight_scale,
        )

    def options(self, graph: HardwareGraph) -> MappingOptions:
        """How a graph becomes a chip network."""
        return MappingOptions(
            speedup=default_speedup(graph) if self.speedup is None else self.speedup,
            delta_tau_syn_us=self.delta_tau_syn_us,
            refractory_us=self.refractory_us,
            sample_us=self.sample_us,
            gap_us=self.gap_us,
            analog=self.analog,
        )

    def arithmetic_for(self, graph: HardwareGraph) -> Arithmetic:
        """Spike times where the network is in continuous time, else real numbers in steps."""
        return "event" if graph.time is TimeBase.CONTINUOUS else "real"

    def own_rounding(
        self, graph: HardwareGraph, integers: HardwareGraph | None
    ) -> tuple[HardwareGraph, tuple[str, ...]] | None:
        """Weights at the scale of the chip, rounded once; None where the network is refused anyway.

        Args:
            graph: network in real numbers.
            integers: the same with widths that the user named; None when none were.
        """
        source = graph if integers is None else integers
        if self.check(source):
            return None
        options = self.options(source)
        return with_chip_weights(source, chip_network(source, options), options), ()

    def default_samples(self, graph: HardwareGraph) -> int:
        """Inputs run through the artefact where the user names no number."""
        return 100

    def check(self, graph: HardwareGraph) -> tuple[Violation, ...]:
        """Every constraint the graph breaks."""
        return check_graph(graph, Limits(mapping=self.options(graph), runs=self.runs))

    def write(self, job: Job, folder: Path) -> None:
        """Write the artefact, recorded samples included, into an empty folder."""
        write_artefact(self._prepared(job), folder)

    def verify(self, job: Job, folder: Path, progress: Progress) -> Verification:
        """Run the artefact's own files in every way that needs no chip."""
        subject = self.subject(job, folder, progress)
        prepared = subject.prepared
        proofs, seconds = run_proofs(PROOFS, subject, "BrainScaleS-2 checks", progress)
        resources = {key: value for proof in proofs for key, value in proof.resources.items()}
        resources |= resource_numbers(prepared)
        described(prepared, folder, resources)
        placed = placement_plot(prepared.network, prepared.runs)
        (folder / "placement.png").write_bytes(placed.png)
        return Verification(
            checks=tuple(check for proof in proofs for check in proof.checks),
            resources=resources,
            assumptions=self._assumptions(prepared),
            seconds=seconds,
            accuracy=next((proof.share for proof in proofs if proof.share is not None), None),
            plots=(
                *(plot for proof in proofs for plot in proof.plots),
                placed,
                lsb_histograms(prepared),
            ),
        )

    def _assumptions(self, prepared: Prepared) -> tuple[str, ...]:
        beware = (f"beware: {words}" for words in cautions(prepared))
        source = named_profile(self.profile, "target.profile").source
        return (*prepared.network.notes, *beware, *ASSUMPTIONS, f"virtual chips of profile {self.profile}: {source}")

    def subject(self, job: Job, folder: Path, progress: Progress) -> Subject:
        """What the proofs are about."""
        return Subject(
            prepared=self._prepared(job),
            artefact=folder.resolve(),  # scripts run in folders of their own
            prediction=self._prediction(),
            steps_points=self.steps_points,
            timeout_s=self.timeout_s,
            progress=progress,
        )

    def _prepared(self, job: Job) -> Prepared:
        return prepare(job, self.options(job.graph))

    def _prediction(self) -> Prediction:
        return Prediction(
            profile_name=self.profile,
            profile=named_profile(self.profile, "target.profile"),
            chips=self.chips,
            seed=self.seed,
            samples=self.samples,
            points=self.points,
        )


def default_speedup(graph: HardwareGraph) -> float:
    """1000, or in continuous time what makes the shortest synaptic time constant ``TAU_SYN_US``.

    Neurons that spike once are silent for the rest of a sample, so that it must not be longer than the longest
    refractory time; where it would be, the chip runs faster.
    """
    neurons = [p.neuron for p in graph.populations if isinstance(p.neuron, FirstSpike)]
    if graph.time is not TimeBase.CONTINUOUS or not neurons:
        return SPEEDUP
    shortest = min(float(neuron.tau_syn_s.min()) for neuron in neurons)
    return 1e6 * max(shortest / TAU_SYN_US, (graph.horizon_s or 0.0) / RANGES["refractory_us"].high)
