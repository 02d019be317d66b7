from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.image import imread

from lightning_neuro.report.curves import draw_curves

pytestmark = pytest.mark.draws

EPOCH = {"epoch": 0, "train/loss": 1.0, "val/loss": 1.1, "train/accuracy": 0.5, "val/accuracy": 0.4}


@pytest.mark.parametrize(
    ("more", "panels"), [({}, 2), ({"val/spike_rate/layer1": 0.1}, 3), ({"val/silent/layer0": 0.2}, 3)]
)
def test_there_is_a_panel_for_activity_where_there_is_any(tmp_path: Path, more: dict[str, float], panels: int) -> None:
    draw_curves([EPOCH | more | {"epoch": k} for k in range(3)], {"test/accuracy": 0.6}, tmp_path / "c.png")
    assert imread(tmp_path / "c.png").shape[1] == panels * 600
