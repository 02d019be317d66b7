"""What the mapping changed, as sentences for the report."""

from __future__ import annotations

from dataclasses import dataclass

from lightning_neuro.graph.hardware_graph import CubaLif, HardwareGraph, Lif, ResetKind, TimeBase
from lightning_neuro.targets.brainscales.chip_resources import CYCLE_US, LARGEST_WEIGHT
from lightning_neuro.targets.brainscales.mapping_cells import MappingOptions, step_us


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerChange:
    """What happened to a layer.

    Args:
        name: of the layer.
        kept: the weights were whole LSB already.
        folded: thresholds differed and went into the weights.
        lsb_per_threshold: None for a read-out.
        largest_lsb: largest weight.
        rounding_lsb: root mean square of the rounding errors, LSB.
        tau_syn_us, refractory_us: hardware microseconds.
    """

    name: str
    kept: bool
    folded: bool
    lsb_per_threshold: float | None
    largest_lsb: int
    rounding_lsb: float
    tau_syn_us: float
    refractory_us: float


def mapping_notes(graph: HardwareGraph, options: MappingOptions, changes: tuple[LayerChange, ...]) -> tuple[str, ...]:
    """Sentences about time, then about each layer."""
    return (*_time_notes(graph, options), *(note for change in changes for note in _layer_notes(graph, change)))


def _time_notes(graph: HardwareGraph, options: MappingOptions) -> list[str]:
    faster = f"the chip runs {options.speedup:g} times faster than the model's time"
    grid = f"spike times are rounded to {CYCLE_US * 1e3:g} ns, the FPGA's cycle"
    if graph.time is TimeBase.CONTINUOUS:
        return [f"{faster}; {grid}", "a neuron that spiked is refractory for the length of a sample: one spike each"]
    dt = step_us(graph, options)
    return [
        f"{faster}, and without steps: a step of the network is {dt:g} us of continuous time there. Input spikes of "
        f"step n arrive at n x {dt:g} us; time constants are the exact -dt / ln(decay). Neurons spike within steps, "
        f"not at their ends, and may act a part of a step later than in the network; {grid}"
    ]


def _layer_notes(graph: HardwareGraph, change: LayerChange) -> list[str]:
    population = graph.population(change.name)
    neuron, found = population.neuron, []
    if isinstance(neuron, Lif):
        found.append(
            f"{change.name}: delta synapses are approximated by currents of {change.tau_syn_us:.3g} us; a potential "
            "keeps its charge but rises late and peaks lower"
        )
    if isinstance(neuron, Lif | CubaLif) and neuron.reset.kind in (ResetKind.ZERO, ResetKind.CLAMP):
        found.append(
            f"{change.name}: refractory for {change.refractory_us:.3g} us after a spike; what arrives in that time "
            "still raises the current, not the membrane"
        )
    if change.folded:
        found.append(f"{change.name}: thresholds that differ between neurons are part of the weights")
    found.append(_weights(change))
    return found


def _weights(change: LayerChange) -> str:
    scale = change.lsb_per_threshold
    if scale is None:
        return f"{change.name}: a read-out without threshold; its largest weight is {change.largest_lsb} LSB"
    if change.kept:
        return f"{change.name}: weights are whole LSB of the chip already; the threshold is {scale:.4g} LSB of weight"
    words = (
        f"{change.name}: weights were rounded to 1/{scale:.4g} of the threshold (root mean square error "
        f"{change.rounding_lsb:.2g} LSB)"
    )
    if change.largest_lsb > LARGEST_WEIGHT:
        words += f"; the largest is {change.largest_lsb} LSB, so sources are repeated"
    return words
