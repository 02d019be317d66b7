"""Pictures of the chip: which synapses carry which population's spikes, and which circuits are which layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.report import Plot
from lightning_neuro.report.plots import COLOURS, INK, PALE, finish, make_figure
from lightning_neuro.targets.brainscales.chip_network import ChipNetwork
from lightning_neuro.targets.brainscales.chip_resources import COLUMNS, HEMISPHERES, LARGEST_WEIGHT, ROWS
from lightning_neuro.targets.brainscales.partition import Run
from lightning_neuro.targets.brainscales.placement import Placement, uses
from lightning_neuro.targets.brainscales.placement_check import synapses_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_RUNS = 3  # in one picture
_STRIP = 12  # pixels of a row of neuron circuits
_SPACE = 4  # pixels between the two rows
_FAINTEST = 0.2  # share of colour of a synapse whose weight is 0

Pixels = NDArray[Any]


def placement_plot(network: ChipNetwork, runs: Sequence[Run]) -> Plot:
    """Draw the first runs of a network, both hemispheres of the chip each.

    Args:
        network: what is placed.
        runs: its placements.
    """
    colours = population_colours(network)
    shown = runs[:MOST_RUNS]
    figure = make_figure(max(5.8, 3.9 * len(shown)), 6.2)
    panels = np.atleast_1d(figure.subplots(1, len(shown), squeeze=False)[0])
    for number, (axes, run) in enumerate(zip(panels, shown, strict=True)):
        _draw(axes, chip_pixels(network, run.placement, colours))
        used = ", ".join(f"{use.used} of {use.available} {use.what}" for use in uses(run.placement)[:1])
        title = f"run {number + 1} of {len(runs)}: {used}" if len(runs) > 1 else used
        axes.set_title(title, loc="left", fontsize=9)
    _legend(figure, network, colours)
    more = f" Runs after the third are not shown ({len(runs)} in all)." if len(runs) > MOST_RUNS else ""
    caption = (
        "The two synapse arrays of the chip with the neuron circuits between them. A synapse has the colour of the "
        "population whose spikes it takes, the stronger the larger its weight; a circuit has the colour of its layer."
        + more
    )
    return finish(figure, "Placement on the chip", caption)


def population_colours(network: ChipNetwork) -> Mapping[str, tuple[float, float, float]]:
    """A colour for the input and each layer, red, green and blue from 0 to 1."""
    from matplotlib.colors import to_rgb

    names = [network.input, *(layer.name for layer in network.layers)]
    return {name: to_rgb(COLOURS[(k - 1) % len(COLOURS)]) for k, name in enumerate(names)}


def chip_pixels(
    network: ChipNetwork, placement: Placement, colours: Mapping[str, tuple[float, float, float]]
) -> Pixels:
    """The chip as a picture [row, column, 3]: hemisphere 0, its circuits, those of hemisphere 1, hemisphere 1.

    Args:
        network: what is placed.
        placement: of one run.
        colours: from ``population_colours``.
    """
    chip = synapses_of(network, placement)
    palette = np.array([(1.0, 1.0, 1.0), *(colours[pre] for pre, _ in chip.names)])
    share = _FAINTEST + (1 - _FAINTEST) * np.minimum(chip.weight / LARGEST_WEIGHT, 1.0)
    arrays = 1.0 - share[..., None] * (1.0 - palette[chip.source + 1])
    strips = circuit_pixels(placement, colours)
    space = np.ones((_SPACE, COLUMNS, 3))
    # the row next to the circuits is row 0 in both hemispheres
    return np.concatenate([arrays[0, ::-1], strips[0], space, strips[1], arrays[1]])


def circuit_pixels(placement: Placement, colours: Mapping[str, tuple[float, float, float]]) -> Pixels:
    """The circuits of both hemispheres, [hemisphere, pixel, column, 3]; every other neuron is a little paler."""
    from matplotlib.colors import to_rgb

    strips = np.empty((HEMISPHERES, _STRIP, COLUMNS, 3))
    strips[:] = to_rgb(PALE)
    for block in placement.blocks:
        colour = np.array(colours[block.part.layer])
        for neuron in range(block.part.start, block.part.stop):
            columns = block.columns(neuron)
            shade = colour if neuron % 2 == 0 else 0.65 * colour + 0.35
            for hemisphere in block.hemispheres:
                strips[hemisphere, :, columns.start : columns.stop] = shade
    return strips


def _draw(axes: Axes, pixels: Pixels) -> None:
    axes.imshow(pixels, interpolation="nearest", aspect="auto")
    middle = ROWS + _STRIP
    lower = middle + _SPACE + _STRIP
    axes.set_yticks([0, ROWS - 1, lower, lower + ROWS - 1], [str(ROWS - 1), "0", "0", str(ROWS - 1)])
    axes.set_xticks([0, 64, 128, 192, COLUMNS - 1])
    axes.set(xlabel="column", ylabel="synapse row of hemisphere 1            synapse row of hemisphere 0")


def _legend(figure: Any, network: ChipNetwork, colours: Mapping[str, tuple[float, float, float]]) -> None:
    from matplotlib.patches import Patch

    sizes = {network.input: f"{network.lines} lines"} | {x.name: f"{x.size} neurons" for x in network.layers}
    entries = [Patch(color=colour, label=f"{name}: {sizes[name]}") for name, colour in colours.items()]
    entries.append(Patch(color=PALE, label="circuits not used"))
    figure.legend(
        handles=entries, fontsize=7.5, frameon=False, loc="outside lower left", ncols=3, labelcolor=INK, columnspacing=1
    )
