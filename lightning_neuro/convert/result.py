"""What came out of a conversion: accuracies, costs and agreement, as numbers for tables and files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from lightning_neuro.convert.analysis import WeightStatistics, weight_statistics
from lightning_neuro.convert.conversion import Converted
from lightning_neuro.convert.early_stop import Stopped, stop_early
from lightning_neuro.convert.evaluation import Evaluation, evaluate
from lightning_neuro.convert.plan import ConversionPlan
from lightning_neuro.convert.samples import Labelled

KEPT = 32  # inputs kept to compare later artefacts with the conversion


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ConversionResult:
    """What came out of a conversion.

    Args:
        plan: what was asked for.
        converted: the networks.
        evaluation: the spiking network on the evaluation samples, every layer analysed.
        hybrid: with some layers spiking only; None unless asked for.
        stopped: with samples that stop early; None unless asked for.
        weights: statistics of weights and biases by layer.
        samples: first inputs of the evaluation, as the ANN takes them.
        seconds: that the conversion took.
    """

    plan: ConversionPlan
    converted: Converted
    evaluation: Evaluation
    hybrid: Evaluation | None
    stopped: Stopped | None
    weights: Mapping[str, WeightStatistics]
    samples: Tensor
    seconds: float

    @property
    def chosen(self) -> int:
        """Place on the curve of the number of steps that the network was converted for."""
        return self.evaluation.steps.index(self.plan.options.steps)

    def numbers(self) -> dict[str, float]:
        """Everything measured, flat: accuracies 0..1 by number of steps T, layers at the T of the conversion."""
        found, at = self.evaluation, self.chosen
        numbers = {
            "ann/accuracy": found.ann_accuracy,
            "snn/accuracy": float(found.accuracy[at]),
            "spikes_per_sample": float(found.spikes_per_sample[at]),
        }
        for k, step in enumerate(found.steps):
            numbers[f"snn/acc_T{step}"] = float(found.accuracy[k])
            numbers[f"snn/gap_T{step}"] = float(found.gap[k])
            numbers[f"snn/differing_T{step}"] = float(found.differing[k])
            numbers[f"snn/spikes_per_sample_T{step}"] = float(found.spikes_per_sample[k])
            numbers[f"snn/synaptic_operations_T{step}"] = float(found.synaptic_operations_per_sample[k])
            if self.hybrid is not None:
                numbers[f"hybrid/acc_T{step}"] = float(self.hybrid.accuracy[k])
        for name, layer in found.layers.items():
            numbers[f"snn/correlation/{name}"] = float(np.nanmean(layer.correlation[:, at]))
            if layer.activity_mean[at]:
                numbers[f"snn/activity/{name}"] = float(layer.activity_mean[at])
        if self.stopped is not None:
            numbers["early_stop/accuracy"] = float((self.stopped.classes == found.labels).mean())
            numbers["early_stop/mean_steps"] = self.stopped.mean_steps
        return numbers


def measure(converted: Converted, test: Labelled, plan: ConversionPlan, seconds: float) -> ConversionResult:
    """Run a converted network on labelled samples, everything that the plan asks for.

    Args:
        converted: the networks.
        test: samples.
        plan: numbers of steps, split and margin.
        seconds: that the conversion took.
    """
    found = evaluate(converted, test.batches(), plan.curve, split_layer=None, analyse=True)
    split, margin = plan.split_layer, plan.early_stop
    return ConversionResult(
        plan=plan,
        converted=converted,
        evaluation=found,
        hybrid=None
        if split is None
        else evaluate(converted, test.batches(), plan.curve, split_layer=split, analyse=False),
        stopped=None if margin is None else stop_early(found.scores, found.steps, margin),
        weights=weight_statistics(converted),
        samples=test.first(KEPT).values,
        seconds=seconds,
    )
