"""The two plans: all nine cells, and the quick one.

Networks are small enough for ten minutes on two cores. ``rate`` is converted twice, because SpiNNaker's neurons reset
to zero and take spikes; ``spike_time`` is fine-tuned on virtual chips for BrainScaleS-2, whose neurons differ a little.
"""

from __future__ import annotations

from lightning_neuro.demo.plan import Cell, Plan, Training

FULL = Plan(
    models=("lif", "rate", "spike_time"),
    targets=("fpga", "spinnaker", "brainscales"),
    trainings=(
        Training(name="spike_time", overrides=("model=spike_time", "data=yin_yang", "trainer.max_epochs=100")),
        Training(name="rate_mlp", overrides=("model=rate_mlp",)),
        Training(
            name="spike_time_brainscales",
            overrides=("model=spike_time_brainscales", "data=yin_yang", "trainer.max_epochs=100"),
        ),
        Training(name="lif", overrides=("model=lif",)),
        Training(name="rate_spinnaker", overrides=("model=rate_spinnaker",)),
    ),
    cells=(
        Cell(model="spike_time", target="fpga", training="spike_time", overrides=("verify.samples=2",)),  # minutes each
        Cell(model="rate", target="fpga", training="rate_mlp", overrides=("target.lanes=4",)),
        Cell(model="lif", target="fpga", training="lif"),
        Cell(model="spike_time", target="brainscales", training="spike_time_brainscales"),
        Cell(model="lif", target="brainscales", training="lif"),
        Cell(model="spike_time", target="spinnaker", training="spike_time"),
        Cell(model="rate", target="spinnaker", training="rate_spinnaker"),
        Cell(model="lif", target="spinnaker", training="lif"),
        Cell(model="rate", target="brainscales", training="rate_spinnaker", forbidden=True),
    ),
)

QUICK = Plan(
    models=("lif",),
    targets=("fpga",),
    trainings=(Training(name="lif", overrides=("model=lif", "trainer.max_epochs=20")),),
    cells=(Cell(model="lif", target="fpga", training="lif", overrides=("verify.samples=5",)),),
)
