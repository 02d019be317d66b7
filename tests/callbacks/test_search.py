"""The search as a callback: after training, on the best checkpoint, with the command's overrides."""

from __future__ import annotations

from pathlib import Path

import pytest

from lightning_neuro.callbacks import ParameterBuffers, Quantize, Search
from lightning_neuro.checkpoint import load_record
from lightning_neuro.errors import ConfigError
from tests.callbacks.test_callbacks import Stranger, fit, leaky

SMALL = ("space.weight_bits=[4,6]", "space.state_bits=[8]", "space.leak_bits=[3]", "tolerance=1.0", "workers=1")


def test_the_best_checkpoint_carries_what_was_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    search = Search(SMALL)
    fit(Stranger(leaky), tmp_path, ParameterBuffers(), Quantize(), search)
    assert search.found is not None and search.found.recommended is not None and search.folder is not None
    [checkpoint] = tmp_path.rglob("*.ckpt")
    record = load_record(checkpoint)
    assert record.recommended is not None and record.recommended.widths == search.found.recommended.widths
    assert record.quantized is not None and record.quantized.widths != record.recommended.widths
    assert (search.folder / "search.csv").is_file() and len(search.found.points) == 2
    assert "recommended" in capsys.readouterr().out


def test_a_wrong_override_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="tolerance=2"):
        fit(Stranger(leaky), tmp_path, ParameterBuffers(), Search(("tolerance=2",)))


def test_a_run_that_only_tries_the_code_searches_nothing(tmp_path: Path) -> None:
    search = Search(SMALL)
    fit(Stranger(leaky), tmp_path, ParameterBuffers(), search, fast_dev_run=True)
    assert search.found is None
