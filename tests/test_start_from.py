"""Fine-tuning starts with weights of another run, rounded or not; nothing else of it is taken."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

from lightning_neuro.errors import CheckpointError, ConfigError
from lightning_neuro.models.lif import LIFClassifier
from lightning_neuro.neurons.rounded_weights import RoundedWeights, float_weight
from lightning_neuro.start_from import start_from
from tests.conftest import ROOT


def model(seed: int, **options: object) -> LIFClassifier:
    torch.manual_seed(seed)
    values = OmegaConf.to_container(OmegaConf.load(ROOT / "conf" / "model" / "lif.yaml"))
    assert isinstance(values, dict)
    del values["_target_"]
    return LIFClassifier(**{**values, "layers": [6, 5, 3], **options})


def saved(module: LIFClassifier, folder: Path) -> str:
    torch.save({"state_dict": module.state_dict(), "hyper_parameters": dict(module.hparams)}, folder / "old.ckpt")
    return str(folder / "old.ckpt")


def float_weights(module: LIFClassifier) -> list[torch.Tensor]:
    return [float_weight(layer).detach() for layer in list(module.network)[::2]]


def roundings(module: LIFClassifier) -> list[RoundedWeights]:
    return [part for part in module.modules() if isinstance(part, RoundedWeights)]


@pytest.mark.parametrize("before", [None, "w3v8", "w4v8"])
@pytest.mark.parametrize("after", [None, "w3v8"])
def test_float_weights_are_taken_whoever_rounds_them(tmp_path: Path, before: str | None, after: str | None) -> None:
    old, new = model(1, quantize=before), model(2, quantize=after)
    assert not torch.equal(float_weights(old)[0], float_weights(new)[0])
    start_from(saved(old, tmp_path), new)
    assert all(torch.equal(a, b) for a, b in zip(float_weights(old), float_weights(new), strict=True))


def test_other_widths_get_scales_of_their_own_for_the_weights_they_start_with(tmp_path: Path) -> None:
    old, new, same = model(1, quantize="w8"), model(2, quantize="w3"), model(1, quantize="w3")
    start_from(saved(old, tmp_path), new)
    lsb = [[float(rounding.lsb) for rounding in roundings(module)] for module in (new, same, old)]
    assert lsb[0] == lsb[1] != lsb[2]


def test_a_learned_scale_is_kept_by_the_same_widths(tmp_path: Path) -> None:
    old, new = (model(seed, quantize="w4", quantize_scale="learned") for seed in (1, 2))
    for rounding in roundings(old):
        rounding.log_lsb.data.add_(0.5)  # learned
    start_from(saved(old, tmp_path), new)
    assert all(a.log_lsb == b.log_lsb for a, b in zip(roundings(new), roundings(old), strict=True))


@pytest.mark.parametrize("options", [{"layers": [6, 4, 3]}, {"layers": [6, 3]}, {"bias": True}, {"tau_syn": 5e-3}])
def test_another_network_is_refused(tmp_path: Path, options: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="another network"):
        start_from(
            saved(model(1, **options), tmp_path),
            model(2, layers=[6, 5, 5, 3] if "layers" not in options else [6, 5, 3]),
        )


def test_what_holds_no_weights_is_a_message(tmp_path: Path) -> None:
    path = saved(model(1), tmp_path)
    Path(path).write_bytes(Path(path).read_bytes()[:800])
    with pytest.raises(CheckpointError, match="not a readable checkpoint"):
        start_from(path, model(2))
    torch.save({"epoch": 3}, path)
    with pytest.raises(CheckpointError, match="no state_dict"):
        start_from(path, model(2))
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        start_from(str(tmp_path / "none.ckpt"), model(2))
