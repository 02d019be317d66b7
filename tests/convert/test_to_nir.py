from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from lightning_neuro.convert import DEFAULT, Conversion, convert, input_raster, simulate, to_nir
from lightning_neuro.convert.schedule import heard_until, total_steps
from lightning_neuro.errors import GraphError
from lightning_neuro.graph import golden
from lightning_neuro.graph.lower import lower
from lightning_neuro.graph.metadata import Metadata
from tests.convert.networks import cnn, images, mlp, residual, settled, vectors

CASES = {"mlp": (mlp, vectors), "cnn": (cnn, images), "residual": (residual, images)}
OPTIONS = {
    "synchronous": DEFAULT,
    "v_init 0": DEFAULT.replace(v_init=0.0),
    "bernoulli": DEFAULT.replace(input="bernoulli", seed=3),
    "deterministic": DEFAULT.replace(input="deterministic"),
    "count": DEFAULT.replace(readout="count"),
    "reset to zero": DEFAULT.replace(reset="zero", threshold_stretch=2.0),
    "per layer": DEFAULT.replace(granularity="layer", norm="percentile", bias_samples=0),
    "pipelined": DEFAULT.replace(schedule="pipelined"),
    "pipelined count": DEFAULT.replace(schedule="pipelined", readout="count", input="bernoulli"),
    "layer-sequential": DEFAULT.replace(schedule="layer_sequential"),
    "layer-sequential count": DEFAULT.replace(schedule="layer_sequential", readout="count", input="deterministic"),
}
STEPS = 5


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("options", OPTIONS.values(), ids=list(OPTIONS))
def test_the_golden_model_gives_the_same_spikes_and_scores(case: str, options: Conversion) -> None:
    """The simulator has no meaning of its own: NIR, written, read back and lowered, says what a spike is."""
    build, data = CASES[case]
    network = convert(build(), [data(40)], options).network
    x = data(12, seed=9)
    graph, metadata = to_nir(network, steps=STEPS, dt_s=1e-3)
    lowered = lower(graph, Metadata.from_dict(metadata.to_dict(), "test"))
    recording = golden.run(
        lowered, input_raster(network, x, steps=STEPS, first_id=0), arithmetic="real", record=True
    )  # fmt: skip
    run = simulate(network, x.double(), (2, STEPS), first_id=0, dtype=torch.float64, layers=None, count=True)
    assert lowered.steps == total_steps(network, STEPS)
    assert sum(int(counts.sum()) for counts in run.counts.values()) > 50
    for name, counts in run.counts.items():
        layer = next(layer for layer in network.layers if layer.name == name)
        until = heard_until(network, layer, STEPS)
        assert (recording.spikes[name][:, :until].sum(axis=1) == counts[:, 1].numpy()).all(), name
    torch.testing.assert_close(torch.tensor(recording.scores), run.scores[:, 1], check_dtype=False)
    assert (recording.classes == run.classes()[:, 1].numpy()).all()


@pytest.mark.parametrize("case", CASES)
def test_spikes_agree_in_every_single_step(case: str) -> None:
    build, data = CASES[case]
    network = convert(build(), [data(40)], DEFAULT).network
    x = data(6, seed=9)
    raster = golden.run(
        lower(*to_nir(network, steps=6, dt_s=1e-3)),
        input_raster(network, x, steps=6, first_id=0),
        arithmetic="real",
        record=True,
    ).spikes
    marks = tuple(range(1, 7))
    run = simulate(network, x.double(), marks, first_id=0, dtype=torch.float64, layers=None, count=True)
    for name, counts in run.counts.items():
        assert (raster[name].cumsum(axis=1) == counts.numpy()).all(), name


def test_analog_inputs_stop_when_the_last_layer_that_sees_them_has_worked() -> None:
    network = convert(mlp(), [vectors(20)], DEFAULT.replace(schedule="layer_sequential")).network
    raster = input_raster(network, vectors(2), steps=3, first_id=0)
    assert raster.shape == (2, 9, 12) and raster[:, :3].any() and not raster[:, 3:].any()


def test_a_bias_that_differs_within_a_channel_is_refused_with_the_remedy() -> None:
    ann = nn.Sequential(nn.BatchNorm2d(1), nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(128, 3))
    x: Tensor = images(20)
    network = convert(settled(ann, (1, 8, 8)), [x], DEFAULT.replace(bias_samples=0)).network
    with pytest.raises(GraphError, match="BatchNorm behind the convolution"):
        to_nir(network, steps=4, dt_s=1e-3)
