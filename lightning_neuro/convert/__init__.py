"""ANN to SNN: a trained torch network becomes integrate-and-fire neurons with the same answers in a few steps.

    converted = convert(ann, train_loader, DEFAULT.replace(steps=8))       # fold, calibrate, correct biases
    result = evaluate(converted, test_loader, (1, 2, 4, 8), split_layer=None, analyse=True)
    result.accuracy, result.gap, result.spikes_per_sample, result.layers["conv1"].correlation
    stop_early(result.scores, result.steps, margin=8.0).mean_steps
    graph, metadata = to_nir(converted.network, steps=8, dt_s=1e-3)        # the way to every target

``QCFS`` is the activation to train with for answers that are exactly the ANN's (``schedule="layer_sequential"``,
T = levels). What cannot be converted is refused by name, all at once.
"""

from lightning_neuro.convert.analysis import (
    HISTOGRAM_EDGES,
    LayerRecord,
    WeightStatistics,
    pearson,
    spike_histogram,
    weight_statistics,
)
from lightning_neuro.convert.conversion import Converted, convert
from lightning_neuro.convert.early_stop import Stopped, stop_early
from lightning_neuro.convert.evaluation import Evaluation, evaluate
from lightning_neuro.convert.fold import fold
from lightning_neuro.convert.folded import FoldedNetwork
from lightning_neuro.convert.options import DEFAULT, Conversion
from lightning_neuro.convert.plan import ConversionPlan
from lightning_neuro.convert.qcfs import QCFS
from lightning_neuro.convert.simulate import Run, simulate
from lightning_neuro.convert.spiking import SpikingLayer, SpikingNetwork
from lightning_neuro.convert.to_nir import input_raster, to_nir

__all__ = [
    "DEFAULT",
    "HISTOGRAM_EDGES",
    "QCFS",
    "Conversion",
    "ConversionPlan",
    "Converted",
    "Evaluation",
    "FoldedNetwork",
    "LayerRecord",
    "Run",
    "SpikingLayer",
    "SpikingNetwork",
    "Stopped",
    "WeightStatistics",
    "convert",
    "evaluate",
    "fold",
    "input_raster",
    "pearson",
    "simulate",
    "spike_histogram",
    "stop_early",
    "to_nir",
    "weight_statistics",
]
