"""Keep everything deployment needs in every checkpoint: neuron constants, dt, resets, evaluation spikes."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
from typing_extensions import override

from lightning_neuro.buffers import check_buffers, register_buffers
from lightning_neuro.checkpoint import KEY, PackedInputs, to_plain, unconverted
from lightning_neuro.collect import Semantics, collect_inputs, describe_module
from lightning_neuro.errors import ConfigError
from lightning_neuro.graph.hardware_graph import ReadoutKind


class ParameterBuffers(pl.Callback):
    """Write the network, its semantics and its evaluation spikes into every checkpoint.

    Constants that a library keeps outside the ``state_dict`` (Norse) become buffers when the run is set up, and a
    checkpoint with other constants than the module is refused when it is loaded.

    Args:
        dt: step in seconds; None takes it from the module (``hparams.dt``) or its layers (Norse).
        readout: "spike_count", "first_spike", "membrane_max" or "membrane_last"; None takes the module's
            ``readout`` attribute, else infers it from the last layer and says so in every report.

    Raises:
        ConfigError: an unknown read-out, or a dt that is not positive.

    Example:
        >>> trainer = pl.Trainer(callbacks=[ParameterBuffers(readout="spike_count")], logger=False)
    """

    def __init__(self, dt: float | None = None, readout: str | None = None) -> None:
        names = [kind.value for kind in ReadoutKind]
        if readout is not None and readout not in names:
            raise ConfigError(
                f"readout={readout!r} is not one of {', '.join(names)}",
                where="ParameterBuffers",
                why="the read-out decides the class",
                next_command=f"ParameterBuffers(readout={names[0]!r})",
            )
        if dt is not None and not dt > 0:
            raise ConfigError(
                f"dt={dt!r} must be positive seconds",
                where="ParameterBuffers",
                why="time constants are multiples of the step",
                next_command="ParameterBuffers(dt=1e-3)",
            )
        self.semantics = Semantics(dt_s=dt, readout=None if readout is None else ReadoutKind(readout))
        self._inputs: PackedInputs | None = None

    @override
    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        register_buffers(pl_module)

    @override
    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        check_buffers(pl_module)

    @override
    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        if not trainer.is_global_zero:
            return  # every process is asked, the first one writes
        if converts(trainer):
            checkpoint[KEY] = unconverted()  # an ANN: ConvertAtFitEnd writes the spiking network
            return
        if self._inputs is None:
            self._inputs = PackedInputs.of(collect_inputs(trainer, pl_module))
        description = describe_module(trainer, pl_module, self.semantics, self._inputs.coding)
        checkpoint[KEY] = to_plain(description.graph, description.metadata, self._inputs, None)


def converts(trainer: pl.Trainer) -> bool:
    """Whether the run ends with a conversion."""
    from lightning_neuro.callbacks.convert import ConvertAtFitEnd

    return any(isinstance(callback, ConvertAtFitEnd) for callback in trainer.callbacks)  # type: ignore[attr-defined]
