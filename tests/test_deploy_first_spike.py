"""A network of spike times on its way through checkpoint, NIR and deployment, with a target that only writes a file."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from lightning_neuro.checkpoint import KEY, InputSets, PackedInputs, load_record, to_plain
from lightning_neuro.data.spike_time_set import SpikeTimeSet
from lightning_neuro.deploy import QuantizeRequest, VerifyRequest, deploy
from lightning_neuro.errors import ConfigError, GraphError
from lightning_neuro.export import export
from lightning_neuro.finish import quantize_checkpoint
from lightning_neuro.graph import golden
from lightning_neuro.graph.agreement import answer_distance
from lightning_neuro.graph.calibrate import quantize_network
from lightning_neuro.graph.compare import compare_times
from lightning_neuro.graph.first_spike_steps import Decay, Discretisation
from lightning_neuro.graph.hardware_graph import CubaLif, FirstSpike, HardwareGraph, TimeBase
from lightning_neuro.graph.lower import lower
from lightning_neuro.graph.metadata import Metadata
from lightning_neuro.graph.widths import DEFAULT_SPEC, FIRST_SPIKE_SPEC, QuantizeSpec
from lightning_neuro.report import Outcome, Report
from lightning_neuro.targets.base import Job, Progress, Share, Verification
from tests.graph.first_spike_networks import TAU_S, draw_layers, to_graph
from tests.graph.first_spike_networks import times as draw_times

IN_STEPS = Discretisation(decay=Decay.SHIFT, dt_s=None, steps_per_tau=64, relays=True)
NOTHING = QuantizeRequest(weight_bits=None, state_bits=None, leak_bits=None)


@dataclasses.dataclass
class KeepingTarget:
    """Keeps the job it got."""

    discretisation: Discretisation | None = IN_STEPS
    arithmetic: str = "fixed"
    job: Job | None = None
    name: str = "file"
    default_spec: QuantizeSpec = DEFAULT_SPEC

    def arithmetic_for(self, graph: HardwareGraph) -> str:
        return self.arithmetic

    def own_rounding(self, graph: HardwareGraph, integers: HardwareGraph | None) -> None:
        return None

    def check(self, graph: HardwareGraph) -> tuple[()]:
        return ()

    def write(self, job: Job, folder: Path) -> None:
        self.job = job

    def verify(self, job: Job, folder: Path, progress: Progress) -> Verification:
        classes = job.vectors.expected.classes
        share = Share(right=float((classes == job.vectors.labels).mean()), samples=len(classes))
        return Verification(checks=(), resources={}, assumptions=(), seconds={}, accuracy=share)


def write_checkpoint(folder: Path, *, delays: str = "none", bias: bool = True) -> Path:
    """A random network whose labels are its own answers, so that it is right everywhere."""
    graph = to_graph(draw_layers([5, 12, 3], delays=delays, bias=bias, seed=8), 5, horizon_s=6 * TAU_S)
    metadata = Metadata.from_dict(graph.metadata, "test")
    sets = []
    for seed, count in ((1, 300), (2, 64)):
        times = draw_times(count, 5, seed=seed, silent=0.0)
        answers = golden.run(lower(graph, metadata), times, arithmetic="event").classes
        keep = answers >= 0
        sets.append(SpikeTimeSet(times=times[keep], labels=answers[keep]))
    inputs = InputSets(evaluation=sets[0], calibration=sets[1], coding={})
    path = folder / "best.ckpt"
    torch.save({KEY: to_plain(graph, metadata, PackedInputs.of(inputs), None)}, path)
    return path


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path)


def run(
    path: Path,
    target: KeepingTarget,
    *,
    dt_s: float | None = None,
    quantize: QuantizeRequest = NOTHING,
    samples: int = 8,
) -> tuple[Report, Path]:
    return deploy(
        path,
        target=target,  # type: ignore[arg-type]
        out=None,
        dt_s=dt_s,
        reset=None,
        quantize=quantize,
        verify=VerifyRequest(samples=samples, strict=False),
        progress=lambda what, done, total: None,
    )


def test_recorded_times_survive_the_checkpoint_without_pickles(checkpoint: Path) -> None:
    record = load_record(checkpoint)
    assert isinstance(record.evaluation, SpikeTimeSet) and isinstance(record.calibration, SpikeTimeSet)
    assert record.evaluation.times.dtype == np.float64
    graph = lower(record.graph, record.metadata)
    found = golden.run(graph, record.evaluation.times, arithmetic="event")
    assert (found.classes == record.evaluation.labels).all() and len(set(found.classes.tolist())) == 3


def test_a_target_in_steps_gets_integers_in_steps_and_the_cost_is_reported(checkpoint: Path) -> None:
    target = KeepingTarget()
    report, folder = run(checkpoint, target)
    assert target.job is not None and report.ok
    graph, real = target.job.graph, target.job.real_graph
    assert graph.time is real.time is TimeBase.STEPPED and graph.dt_s == TAU_S / 64 and graph.steps == 384
    assert graph.quantized and all(isinstance(p.neuron, CubaLif) for p in graph.populations)
    assert [p.size for p in graph.populations] == [13, 3]  # one relay for the bias line
    assert target.job.vectors.spikes.shape == (8, 384, 5)
    assert report.accuracy.float_ == 1.0 and 0.95 < (report.accuracy.quantized or 0) <= 1.0
    check = next(c for c in report.checks if c.name == "first_spike_accuracy")
    assert "100.0 % analytic" in str(check.got) and check.expected == "at most 1 point below the analytic network"
    assert any("dt = 156.2" in line and "384" in line for line in report.assumptions)
    assert any("relays" in line for line in report.assumptions)
    document = json.loads((folder / "report.json").read_text())
    assert set(document["resources"]["first spikes"]) == {"layer0", "layer1"}
    assert "Spike times in steps" in (folder / "report.html").read_text()
    assert document["graph"]["populations"][0]["reset"] == "once, delay 0"


def test_coarse_steps_fail_the_check_and_name_finer_ones(checkpoint: Path) -> None:
    report, _ = run(checkpoint, KeepingTarget(), dt_s=TAU_S / 4)
    check = next(c for c in report.checks if c.name == "first_spike_accuracy")
    assert check.outcome is Outcome.FAILED and not report.ok
    assert "dt=0.00125" in check.detail


def test_a_step_that_is_no_power_of_two_is_refused(checkpoint: Path) -> None:
    with pytest.raises(ConfigError, match="power-of-two"):
        run(checkpoint, KeepingTarget(), dt_s=1e-4)


def test_a_target_in_continuous_time_gets_the_network_as_it_is(checkpoint: Path) -> None:
    target = KeepingTarget(discretisation=None, arithmetic="event")
    report, _ = run(checkpoint, target)
    assert target.job is not None and target.job.graph.time is TimeBase.CONTINUOUS
    assert all(isinstance(p.neuron, FirstSpike) for p in target.job.graph.populations)
    assert target.job.vectors.spikes.shape == (8, 5) and set(target.job.vectors.expected.times) == {"layer0", "layer1"}
    assert report.accuracy.quantized is not None and report.accuracy.quantized > 0.97
    assert report.graph.populations[0].reset == "once" and report.graph.populations[0].weight_bits == 10


def test_rounding_in_training_gives_the_integers_of_the_hardware(checkpoint: Path) -> None:
    result = quantize_checkpoint(checkpoint, NOTHING)
    assert result.float_ == 1.0 and result.quantized is not None and result.quantized > 0.97
    stored = load_record(checkpoint).quantized
    assert stored is not None and stored.widths == FIRST_SPIKE_SPEC
    assert all(f.state is None for f in stored.formats.values())
    for dt_s in (TAU_S / 64, TAU_S / 128):
        target = KeepingTarget()
        report, _ = run(checkpoint, target, dt_s=dt_s)
        assert target.job is not None
        got = target.job.graph.projections[0].connection.weight.integers()[:12]
        assert np.array_equal(got, stored.weights["input -> layer0"])
        assert not any("rounded at deployment" in line for line in report.assumptions)


def test_wider_membranes_keep_the_stored_weights_other_weights_do_not(checkpoint: Path) -> None:
    quantize_checkpoint(checkpoint, NOTHING)
    wide = dataclasses.replace(NOTHING, state_bits=30)
    report, _ = run(checkpoint, KeepingTarget(), quantize=wide)
    assert not any("rounded at deployment" in line for line in report.assumptions)
    assert report.graph.populations[0].state_bits == 30
    report, _ = run(checkpoint, KeepingTarget(), quantize=dataclasses.replace(NOTHING, weight_bits=7))
    assert any("7-bit weights" in line for line in report.assumptions)


def test_membranes_too_narrow_for_the_threshold_are_refused_with_a_width_that_works(checkpoint: Path) -> None:
    with pytest.raises(ConfigError, match="too narrow") as error:
        run(checkpoint, KeepingTarget(), quantize=dataclasses.replace(NOTHING, state_bits=10))
    bits = int(error.value.next_command.removeprefix("quantize.state_bits="))
    assert run(checkpoint, KeepingTarget(), quantize=dataclasses.replace(NOTHING, state_bits=bits))[0].ok


def test_tampered_weights_contradict_the_stored_integers(checkpoint: Path) -> None:
    quantize_checkpoint(checkpoint, NOTHING)
    values = torch.load(checkpoint, weights_only=True)
    values[KEY]["nir"]["nodes"]["layer0_from_input"]["weight"][0, 0] += 1.0
    torch.save(values, checkpoint)
    with pytest.raises(GraphError, match="contradict"):
        run(checkpoint, KeepingTarget())


def test_scales_chosen_by_calibration_answer_more_alike_than_those_of_least_squares(checkpoint: Path) -> None:
    record = load_record(checkpoint)
    graph, distances = lower(record.graph, record.metadata), []
    assert isinstance(record.calibration, SpikeTimeSet)
    times = record.calibration.times
    wanted = golden.run(graph, times, arithmetic="event")
    for calibration in (None, record.calibration):
        spec = QuantizeSpec(weight_bits=4, state_bits=20, leak_bits=8)
        rounded, _ = quantize_network(graph, spec, calibration)
        distances.append(answer_distance(graph, wanted, golden.run(rounded, times, arithmetic="event")))
    assert 0 < distances[1] < distances[0]


@pytest.mark.parametrize("delays", ["none", "synaptic"])
def test_a_nir_file_is_written_proved_and_deployed_again(delays: str, tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path, delays=delays)
    done = export(path, out=None, profile=None, dt_s=None, samples=32)
    assert done.comparison.mismatches == 0 and done.comparison.slots == 32 * 15
    target = KeepingTarget(discretisation=Discretisation(decay=Decay.EXACT, dt_s=1e-4, steps_per_tau=64, relays=False))
    report, _ = run(done.path, target)
    assert report.ok and report.accuracy.float_ is None
    assert any("one random spike per input" in line for line in report.assumptions)
    assert target.job is not None and target.job.graph.dt_s == 1e-4
    assert any("whole steps" in line for line in report.assumptions) == (delays != "none")


def test_readers_that_go_step_by_step_are_refused(checkpoint: Path) -> None:
    with pytest.raises(ConfigError, match="continuous time"):
        export(checkpoint, out=None, profile="norse", dt_s=None, samples=4)
    assert not list(checkpoint.parent.glob("*.nir")) and not list(checkpoint.parent.glob(".*"))


def test_a_wrong_time_is_found_and_a_peak_at_the_threshold_excused(checkpoint: Path) -> None:
    record = load_record(checkpoint)
    graph = lower(record.graph, record.metadata)
    assert isinstance(record.evaluation, SpikeTimeSet)
    times = record.evaluation.times[:20]
    right = golden.run(graph, times, arithmetic="event").times
    assert compare_times(graph, times, right).mismatches == 0
    wrong = {**right, "layer1": right["layer1"].copy()}
    wrong["layer1"][3, 1] += 1e-3 * TAU_S
    found = compare_times(graph, times, wrong)
    assert found.mismatches == 1 and found.first == "layer layer1, sample 3, neuron 1"
    mute = {**right, "layer1": np.full_like(right["layer1"], np.inf)}
    assert compare_times(graph, times, mute).mismatches == int(np.isfinite(right["layer1"]).sum())
