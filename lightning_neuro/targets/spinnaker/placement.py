"""A picture of the board: which cores of which chips run which layer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from lightning_neuro.report import Plot
from lightning_neuro.report.plots import COLOURS, INK, PALE, QUIET, finish, make_figure
from lightning_neuro.targets.spinnaker.board_image import BoardImage

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CORES = 18  # of one chip
_COLUMNS = 6  # of cores within a chip
_MOST_NAMED = 14
BIAS = r"_(start|bias(_from_\d+)?(_until_\d+)?)$"  # ending of the name of a bias source


def placement_plot(image: BoardImage) -> Plot:
    """Draw the chips of the machine and the cores that run the network, in the colour of their layer.

    Args:
        image: the placed network.
    """
    colours = layer_colours(image.layers)
    figure = make_figure(5.8, 3.4 + 0.17 * -(-min(len(colours) + 2, _MOST_NAMED) // 2))
    whole, part = figure.subplots(1, 2, gridspec_kw={"width_ratios": (1, 1.1)})
    _draw_board(whole, image, colours)
    _draw_used(part, image, colours)
    _legend(figure, image, colours)
    cores = f"{len(image.cores)} of them run the network, on {image.used_chips} of {image.chips} chips"
    caption = f"Left: the chips of {image.boards} board(s). Right: the chips in use, one square per core; {cores}."
    return finish(figure, "Placement on the machine", caption)


def layer_colours(names: tuple[str, ...]) -> Mapping[str, str]:
    """A colour for each layer, in the order of the network; the source of a bias is a pale form of its layer.

    Args:
        names: layers and sources of spikes.
    """
    from matplotlib import colormaps
    from matplotlib.colors import to_hex, to_rgb

    owners = {name: re.sub(BIAS, "", name) for name in names}
    layers = [name for name in names if owners[name] == name or owners[name] not in names]
    many = colormaps["viridis"].resampled(len(layers))
    chosen = COLOURS if len(layers) <= len(COLOURS) else [to_hex(many(index)) for index in range(len(layers))]
    colours = dict(zip(layers, chosen, strict=False))
    pale = {}
    for name in owners.keys() - layers:
        red, green, blue = to_rgb(colours[owners[name]])
        pale[name] = to_hex((0.5 + red / 2, 0.5 + green / 2, 0.5 + blue / 2))
    return {name: (colours | pale)[name] for name in names}


def _draw_board(axes: Axes, image: BoardImage, colours: Mapping[str, str]) -> None:
    """Every chip as a square; those in use carry the colours of what they run."""
    for x, y in image.chip_places:
        _square(axes, x - 0.42, y - 0.42, 0.84, 0.84, "white", QUIET)
    for chip in dict.fromkeys(core.chip for core in image.cores):
        names = list(dict.fromkeys(c.layer for c in image.cores if c.chip == chip))
        for index, name in enumerate(names):
            strip = 0.84 / len(names)
            _square(axes, chip[0] - 0.42 + index * strip, chip[1] - 0.42, strip, 0.84, colours[name], "none")
        _square(axes, chip[0] - 0.42, chip[1] - 0.42, 0.84, 0.84, "none", INK)
    places = np.array(image.chip_places)
    axes.set(xlim=(-0.7, places[:, 0].max() + 0.7), ylim=(-0.7, places[:, 1].max() + 0.7), aspect="equal")
    axes.set(xlabel="chip x", ylabel="chip y")
    axes.set_title(f"{image.chips} chips", loc="left", fontsize=9)


def _draw_used(axes: Axes, image: BoardImage, colours: Mapping[str, str]) -> None:
    """The cores of the chips in use, as many chips in a row as make the picture about square."""
    used = list(dict.fromkeys(core.chip for core in image.cores))
    columns = int(np.ceil(np.sqrt(len(used))))
    rows = -(-len(used) // columns)
    size = max(3.0, 9.5 - 1.2 * columns)
    for index, chip in enumerate(used):
        left, top = (index % columns) * (_COLUMNS + 1), -(index // columns) * (CORES // _COLUMNS + 1.6)
        running = {core.core: core.layer for core in image.cores if core.chip == chip}
        for core in range(CORES):
            face = colours[running[core]] if core in running else PALE
            _square(axes, left + core % _COLUMNS, top - core // _COLUMNS, 0.9, 0.9, face, "none")
        axes.text(left, top + 1.05, f"chip {chip[0]},{chip[1]}", fontsize=size, color=INK, va="bottom")
    axes.set(xlim=(-0.3, columns * (_COLUMNS + 1)), ylim=(-rows * (CORES // _COLUMNS + 1.6) + 1.2, 2.4))
    axes.set_aspect("equal", anchor="NW")
    axes.axis("off")


def _legend(figure: Figure, image: BoardImage, colours: Mapping[str, str]) -> None:
    from matplotlib.patches import Patch

    entries = []
    for name, colour in colours.items():
        neurons = sum(population.size for population in image.populations.values() if population.layer == name)
        cores = sum(core.layer == name for core in image.cores)
        words = f"{_counted(neurons, 'neuron')}, {_counted(cores, 'core')}"
        entries.append(Patch(color=colour, label=f"{name}: {words}"))
    left_out = len(entries) - _MOST_NAMED
    entries = entries[:_MOST_NAMED] + ([Patch(color="white", label=f"and {left_out} more")] if left_out > 0 else [])
    entries.append(Patch(color=PALE, label="not used by the network"))
    figure.legend(handles=entries, fontsize=7.5, frameon=False, loc="outside lower left", ncols=2, columnspacing=1)


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def _square(axes: Axes, x: float, y: float, width: float, height: float, face: str, edge: str) -> None:
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle((x, y), width, height, facecolor=face, edgecolor=edge, linewidth=0.8))
