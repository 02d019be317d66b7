"""An ANN on digits, converted with resets to zero, deployed: every check that can run, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from lightning_neuro.convert import DEFAULT, Conversion, convert
from lightning_neuro.convert.checkpoints import save_converted
from lightning_neuro.convert.samples import Labelled
from lightning_neuro.deploy import VerifyRequest, deploy
from lightning_neuro.errors import ConstraintError
from lightning_neuro.graph.widths import QuantizeRequest
from lightning_neuro.report import Outcome, Report
from lightning_neuro.targets.spinnaker.target import SpinnakerTarget
from tests.targets.spinnaker.cases import needs_nest

ZERO = DEFAULT.replace(reset="zero", input="deterministic", threshold_stretch=4.0, steps=64, bias_samples=0)
TARGET = SpinnakerTarget(timestep_ms=None, boards=1, convolution="auto", weight_error=0.05, points=1.0, timeout_s=600.0)


@pytest.fixture(scope="module")
def digits() -> tuple[Labelled, Labelled]:
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    values, labels = torch.tensor(x[order] / 16, dtype=torch.float32), torch.tensor(y[order])
    return Labelled(values=values[:1437], labels=labels[:1437]), Labelled(values=values[1437:], labels=labels[1437:])


@pytest.fixture(scope="module")
def ann(digits: tuple[Labelled, Labelled]) -> nn.Module:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 24), nn.ReLU(), nn.Linear(24, 10))
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    for _ in range(150):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(digits[0].values), digits[0].labels).backward()
        optimizer.step()
    return network


def deployed(ann: nn.Module, digits: tuple[Labelled, Labelled], options: Conversion, folder: Path) -> Report:
    train, test = digits
    converted = convert(ann, [(train.values, train.labels)], options)
    save_converted(converted, folder / "net.ckpt", train=train, test=test)
    widths = QuantizeRequest(weight_bits=None, state_bits=None, leak_bits=None)
    report, _ = deploy(
        folder / "net.ckpt",
        target=TARGET,
        out=None,
        dt_s=None,
        reset=None,
        quantize=widths,
        verify=VerifyRequest(samples=8, strict=False),
        progress=lambda words, done, total: None,
    )
    return report


@needs_nest
def test_a_converted_network_passes_every_check(
    ann: nn.Module, digits: tuple[Labelled, Labelled], tmp_path: Path
) -> None:
    report = deployed(ann, digits, ZERO.replace(schedule="pipelined"), tmp_path)
    outcomes = {check.name: check.outcome for check in report.checks}
    assert outcomes["nest_spikes"] is outcomes["float_reference"] is outcomes["nir_round_trip"] is Outcome.PASSED
    assert Outcome.FAILED not in outcomes.values(), report.checks
    right = float((ann(digits[1].values).argmax(1) == digits[1].labels).float().mean())
    assert report.accuracy.float_ is not None and report.accuracy.float_ > right - 0.02
    assert report.accuracy.artefact is not None and report.accuracy.artefact > right - 0.03


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (ZERO.replace(reset="subtract"), "model.conversion.reset=zero"),
        (ZERO.replace(input="analog"), "model.conversion.input=deterministic"),
        (ZERO.replace(reset="subtract", schedule="layer_sequential"), "model.conversion.schedule=synchronous"),
    ],
)
def test_what_no_cell_does_is_refused_with_the_option_that_helps(
    options: Conversion, words: str, ann: nn.Module, digits: tuple[Labelled, Labelled], tmp_path: Path
) -> None:
    with pytest.raises(ConstraintError) as refusal:
        deployed(ann, digits, options.replace(steps=4), tmp_path)
    assert words in " ".join(v.remedy for v in refusal.value.violations)
    assert not (tmp_path / "deploy").exists() or not any((tmp_path / "deploy").iterdir())
