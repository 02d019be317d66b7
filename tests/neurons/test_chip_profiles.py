"""The numbers of chip profiles: what is drawn is what they say, and an unknown name is refused with the known ones."""

from __future__ import annotations

import pytest
import torch

from lightning_neuro.errors import ConfigError
from lightning_neuro.neurons.chip_profiles import LOWEST, PROFILES, Spread, chip_profile

FACTORS = ("excitatory_gain", "inhibitory_gain", "tau_mem", "tau_syn")


@pytest.mark.parametrize("name", PROFILES)
def test_draws_have_the_mean_and_the_spread_of_the_profile(name: str) -> None:
    profile = PROFILES[name]
    drawn = profile.draw((40_000,), torch.Generator().manual_seed(0))
    for factor in FACTORS:
        spread = getattr(profile, factor)
        assert float(getattr(drawn, factor).mean()) == pytest.approx(spread.mean, abs=2e-3)
        assert float(getattr(drawn, factor).std()) == pytest.approx(spread.std, abs=2e-3)
    both = (profile.threshold.std**2 + profile.threshold_run_std**2) ** 0.5
    assert float(drawn.threshold.mean()) == pytest.approx(profile.threshold.mean, abs=2e-3)
    assert float(drawn.threshold.std()) == pytest.approx(both, abs=2e-3)


def test_delgrad_is_five_percent_up_and_three_percent_wide() -> None:
    threshold = PROFILES["delgrad"].threshold
    assert (round(100 * (threshold.mean - 1), 1), round(100 * threshold.std, 1)) == (5.0, 3.1)


def test_ideal_neurons_are_exactly_as_asked_for() -> None:
    drawn = PROFILES["ideal"].draw((3, 5), None)
    assert all(torch.equal(getattr(drawn, name), torch.ones(3, 5, dtype=torch.float64)) for name in FACTORS)


def test_neurons_of_one_chip_are_independent_of_each_other() -> None:
    drawn = PROFILES["measured-w66f3"].draw((40_000,), torch.Generator().manual_seed(0))
    together = torch.corrcoef(torch.stack([getattr(drawn, name) for name in FACTORS]))
    assert float((together - torch.eye(len(FACTORS))).abs().max()) < 0.02


def test_a_wild_draw_never_reaches_zero() -> None:
    assert float(Spread(mean=1.0, std=3.0).draw((1000,), torch.Generator().manual_seed(0)).min()) == LOWEST


def test_an_unknown_profile_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="delgrad, measured-w66f3") as caught:
        chip_profile("perfect", "model.noise")
    assert "model.noise=perfect" in str(caught.value)
