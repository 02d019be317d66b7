"""Fine-tune a network that any other tool wrote as NIR: ``python train.py model=nir model.path=x.nir``.

Weights, biases and scales are trained; time constants, thresholds and the structure stay those of the file. Equations:
``lightning_neuro.graph.golden``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torchmetrics.classification import MulticlassAccuracy
from typing_extensions import override

from lightning_neuro.errors import ConfigError
from lightning_neuro.graph.export import Description
from lightning_neuro.graph.hardware_graph import ReadoutKind, ResetKind
from lightning_neuro.graph.nir_file import read_nir
from lightning_neuro.models.activity import Activity
from lightning_neuro.models.lif import LIFClassifier
from lightning_neuro.models.nir_network import NirNetwork, with_metadata
from lightning_neuro.models.readout import MEMBRANE_READOUTS, READOUTS, make_loss
from lightning_neuro.neurons.surrogate import make_surrogate
from lightning_neuro.parallel.ranks import mean_losses


class NIRClassifier(LIFClassifier):
    """A NIR graph with a read-out over classes.

    Args:
        path: NIR file.
        dt: step in seconds, for a file without metadata; None takes it from the file.
        readout: "spike_count", "first_spike", "membrane_max" or "membrane_last"; None takes it from the file.
        surrogate, surrogate_slope: derivative of the spike function.
        loss, loss_gain, label_smoothing, lr, weight_decay, weight_clip, schedule: as in :class:`LIFClassifier`.

    Raises:
        NirError: the file cannot be read or run.
        ConfigError: an option is not possible.
    """

    def __init__(
        self,
        *,
        path: str,
        dt: float | None,
        readout: str | None,
        surrogate: str,
        surrogate_slope: float,
        loss: str,
        loss_gain: float,
        label_smoothing: float,
        lr: float,
        weight_decay: float,
        weight_clip: float | None,
        schedule: str,
    ) -> None:
        pl.LightningModule.__init__(self)  # the parent builds a chain of layers; here the file says what there is
        self.save_hyperparameters()
        graph, metadata = read_nir(Path(path), dt_s=dt)
        if readout is not None:
            metadata = with_metadata(metadata, readout=ReadoutKind(_known(readout)))
        self.network = NirNetwork(graph, metadata, make_surrogate(surrogate, surrogate_slope))  # type: ignore[assignment]
        self.readout = metadata.readout.value
        self._check_readout()
        self.loss = make_loss(loss, loss_gain, label_smoothing)
        self.lr, self.weight_decay, self.weight_clip, self.schedule = lr, weight_decay, weight_clip, schedule
        self._activity = Activity()
        classes = self.nir.lowered.population(self.nir.lowered.output).size
        self.mean_loss = mean_losses()
        self.accuracy = nn.ModuleDict(
            {f"{split}_split": MulticlassAccuracy(classes, average="micro") for split in ("train", "val", "test")}
        )

    @property
    def nir(self) -> NirNetwork:
        """The network."""
        assert isinstance(self.network, NirNetwork)
        return self.network

    def _check_readout(self) -> None:
        neuron = self.nir.lowered.population(self.nir.lowered.output).neuron
        quiet = _never_spikes(neuron)
        if quiet != (self.readout in MEMBRANE_READOUTS):
            raise ConfigError(
                f"readout={self.readout} of a last layer that {'never spikes' if quiet else 'spikes'}",
                where="model.readout",
                why="integrators are read by their membranes, spiking neurons by their spikes",
                next_command=f"model.readout={'membrane_max' if quiet else 'spike_count'}",
            )

    @override
    def setup(self, stage: str) -> None:
        data: Any = getattr(self.trainer, "datamodule", None)
        shape, classes = getattr(data, "input_shape", None), getattr(data, "classes", None)
        graph = self.nir.lowered
        for what, got, wanted in (
            ("inputs", None if shape is None else int(np.prod(shape)), graph.input.size),
            ("classes", classes, graph.population(graph.output).size),
        ):
            if got is not None and got != wanted:
                raise ConfigError(
                    f"the data have {got} {what}, the network {wanted}",
                    where="model.path",
                    why="a foreign network keeps its sizes",
                    next_command="data=... with samples of the size that the network was made for",
                )

    @override
    def layer_outputs(self, raster: Tensor) -> list[tuple[Tensor, Tensor]]:
        found = self.nir(raster.transpose(0, 1).float())
        output = found.pop(self.nir.lowered.output)
        return [*found.values(), output]

    @override
    def forward(self, raster: Tensor) -> Tensor:
        return READOUTS[self.readout](*self.layer_outputs(raster)[-1])

    @override
    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        if self.weight_clip is not None:
            for parameter in self.network.parameters():
                if parameter.ndim > 1:
                    parameter.data.clamp_(-self.weight_clip, self.weight_clip)

    def describe_itself(self, sample: Tensor, coding: Mapping[str, str | int | float]) -> Description:
        """The trained graph with what torch did on a sample (see ``graph.export.Description``)."""
        with torch.no_grad():
            found = self.nir(sample.transpose(0, 1).float())
        metadata = with_metadata(
            self.nir.metadata, steps=sample.shape[1], coding=dict(coding or self.nir.metadata.coding)
        )
        graph = self.nir.as_graph()
        graph.metadata = metadata.to_dict()
        quiet = {p.name for p in self.nir.lowered.populations if _never_spikes(p.neuron)}
        array = lambda t: np.ascontiguousarray(t.transpose(0, 1).cpu().numpy())  # noqa: E731
        return Description(
            graph=graph,
            metadata=metadata,
            raster=sample.cpu().numpy(),
            spikes={n: array(s).astype(np.uint8) for n, (s, _) in found.items() if n not in quiet},
            membranes={n: array(v) for n, (_, v) in found.items() if n in quiet},
        )


def _never_spikes(neuron: Any) -> bool:
    return neuron.reset.kind is ResetKind.NONE


def _known(readout: str) -> str:
    if readout not in READOUTS:
        raise ConfigError(
            f"readout={readout} is unknown",
            where="model.readout",
            why=f"choices are {', '.join(READOUTS)}",
            next_command="model.readout=spike_count",
        )
    return readout
