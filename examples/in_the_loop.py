"""Fine-tunes a Yin-Yang network on one chip: spikes from the chip, gradients from the model.

    python train.py model=spike_time_brainscales data=yin_yang trainer.max_epochs=100
    python examples/in_the_loop.py outputs/latest/best.ckpt

The chip is a virtual one, as uneven as a measured one. A real one takes its place as a function of
weights and input spikes that returns the first spikes of every layer (``lightning_neuro.models.in_the_loop.ChipRun``).
"""

from __future__ import annotations

import sys

import pytorch_lightning as pl
from hydra import compose, initialize_config_module

from lightning_neuro.config import build_data
from lightning_neuro.models.in_the_loop import in_the_loop
from lightning_neuro.models.spike_time import SpikeTimeClassifier
from lightning_neuro.neurons.chip_profiles import PROFILES
from lightning_neuro.targets.brainscales.emulated_chip import EmulatedChip, loop_network
from lightning_neuro.targets.brainscales.virtual_chip import draw_chips

UNIT_US = 6.0  # tau_syn on the chip
SAMPLE_US = 24.0
EPOCHS = 30


def main(checkpoint: str) -> None:
    """Measure on the chip, train on it, measure again."""
    with initialize_config_module("lightning_neuro.conf", version_base="1.3"):
        data = build_data(compose("train", overrides=["data=yin_yang"]))
    model = SpikeTimeClassifier.load_from_checkpoint(checkpoint, weights_only=True)
    model.lr = 1e-3
    network = loop_network(model.network, unit_us=UNIT_US, sample_us=SAMPLE_US)
    chip = draw_chips(network, PROFILES["measured-w66f3"], chips=1, seed=0)[0]
    in_the_loop(model.network, EmulatedChip(network, chip), unit_us=UNIT_US)
    trainer = pl.Trainer(
        max_epochs=EPOCHS, accelerator="cpu", logger=False, enable_checkpointing=False, enable_model_summary=False
    )
    before = trainer.test(model, data, verbose=False)[0]["test/accuracy"]
    trainer.fit(model, data)
    after = trainer.test(model, data, verbose=False)[0]["test/accuracy"]
    print(f"on the chip: {100 * before:.1f} % before, {100 * after:.1f} % after {EPOCHS} epochs in the loop")


if __name__ == "__main__":
    main(sys.argv[1])
