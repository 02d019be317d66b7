from __future__ import annotations

import pytest
import torch

from lightning_neuro.convert import DEFAULT, QCFS, convert, evaluate
from lightning_neuro.errors import ConfigError
from tests.convert.networks import images, qcfs


def test_halves_are_rounded_down_as_a_strict_threshold_does() -> None:
    h = QCFS(levels=4, initial=1.0)
    assert h(torch.tensor([-1.0, 0.125, 0.126, 0.375, 0.376, 0.875, 9.0])).tolist() == [0, 0, 0.25, 0.25, 0.5, 0.75, 1]


def test_gradients_pass_where_it_is_not_clipped_and_reach_lambda() -> None:
    h = QCFS(levels=4, initial=1.0)
    z = torch.tensor([-0.5, 0.3, 2.0], requires_grad=True)
    h(z).sum().backward()
    assert z.grad.tolist() == [0, 1, 0]
    assert h.clip.grad == pytest.approx(1.0 + (0.25 - 0.3), abs=1e-6)  # clipped: 1; else rounding error / lambda


@pytest.mark.parametrize("levels", [1, 2, 4, 8])
def test_layer_sequential_spikes_answer_exactly_like_the_ann_at_t_equal_l(levels: int) -> None:
    ann, test = qcfs(levels), images(60, seed=5)
    options = DEFAULT.replace(schedule="layer_sequential", steps=levels, bias_samples=32)
    converted = convert(ann, [images(40)], options)
    found = evaluate(converted, [(test, torch.zeros(60))], (levels,), split_layer=None, analyse=False)
    with torch.no_grad():
        wanted = ann(test)
    torch.testing.assert_close(torch.tensor(found.scores[:, 0]), wanted, atol=1e-5, rtol=1e-5)
    assert found.differing.tolist() == [0]


def test_an_activation_needs_a_level_and_a_clipping_level() -> None:
    for levels, initial in ((0, 1.0), (4, 0.0)):
        with pytest.raises(ConfigError, match="QCFS"):
            QCFS(levels=levels, initial=initial)
