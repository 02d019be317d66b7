"""What a search found, for people: a table, ``search.csv``, and the picture of accuracy against cost."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from lightning_neuro.publish import whole_file
from lightning_neuro.report.plots import ACCENT, INK, PALE, QUIET, WARN, finish, make_figure
from lightning_neuro.search.cost import PRICES
from lightning_neuro.search.measure import Point
from lightning_neuro.search.profile import to_csv as profile_csv
from lightning_neuro.search.run import Found
from lightning_neuro.search.space import label, numbers

MOST_ROWS = 24  # of the front in the terminal; search.csv has every point


def render(found: Found, path: Path, out: Path) -> RenderableType:
    """The front as a table, the recommendation, and what to type next.

    Args:
        found: result.
        path: the network's file.
        out: folder of the search.
    """
    parts: list[RenderableType] = [Text(), _table(found), Text()]
    best = found.recommended
    again = f" ({found.resumed} of them measured before)" if found.resumed else ""
    parts.append(Text(f"{len(found.points)} points{again} on {len(found.subject.evaluation)} samples"))
    allowed = f"{100 * found.request.tolerance:g} points of {100 * found.float_accuracy:.2f} % (float)"
    if best is None:
        highest = max(found.points, key=lambda point: point.accuracy)
        parts.append(Text(f"no point within {allowed}; the best is {label(highest.widths)}, {_percent(highest)} %"))
        parts.append(Text("next         wider candidates (space.weight_bits=[6,8,10]), or tolerance=LARGER"))
        return Group(*parts)
    parts.append(
        Text.assemble(("recommended  ", "bold"), f"{label(best.widths)}: {_percent(best)} %, within {allowed}")
    )
    if found.profile:
        parts += [Text(), _profile_table(found), Text()]
    parts.append(Text(f"written      {out / 'search.csv'}, {out / 'pareto.png'}"))
    parts.append(Text(f"next         {deploy_command(found, path)}"))
    return Group(*parts)


def deploy_command(found: Found, path: Path) -> str:
    """What deploys the recommended point."""
    assert found.recommended is not None
    if found.request.keep and path.suffix == ".ckpt":
        return f"deploy {path} target=fpga quantize=recommended"
    rows = numbers(found.recommended.widths, found.subject.populations)
    names = ("weight_bits", "state_bits", "leak_bits")
    columns = (list(column) for column in zip(*rows, strict=True))
    given = (
        f"quantize.{name}={column[0] if len(set(column)) == 1 else str(column).replace(' ', '')}"
        for name, column in zip(names, columns, strict=True)
    )
    return f"deploy {path} target=fpga " + " ".join(given)


def _table(found: Found) -> Table:
    shown = Table("widths", "right %", "lost", *_cost_names(found.points), "saturated %", box=None)
    for point in found.front[-MOST_ROWS:]:
        chosen = found.recommended is not None and point.widths == found.recommended.widths
        lost = 100 * (found.float_accuracy - point.accuracy)
        cells = (f"{getattr(point.cost, name):,.0f}" for name in _cost_names(found.points))
        saturated = "  ".join(f"{100 * share:.2g}" for share in point.saturation.values()) or "-"
        mark = " <" if chosen else ""
        shown.add_row(
            label(point.widths) + mark,
            _percent(point),
            f"{lost:.2f}",
            *cells,
            saturated,
            style="bold" if chosen else "",
        )
    return shown


def _profile_table(found: Found) -> Table:
    """The recommended integers beside the real network."""
    shown = Table("layer", "clip %", "zero %", "real v", "range", "sat. %", "other spikes %", "from", box=None)
    for layer in found.profile:
        shown.add_row(
            f"{layer.layer} w{layer.weight_bits} v{layer.state_bits}",
            f"{100 * layer.clipped_weights:.2g}",
            f"{100 * layer.zero_weights:.2g}",
            f"{layer.float_low:.3g}..{layer.float_high:.3g}",
            f"{layer.integer_low:.2g}..{layer.integer_high:.2g}",
            f"{100 * layer.saturated:.2g}",
            f"{100 * layer.differing:.2g}",
            "-" if layer.first_step < 0 else str(layer.first_step),
        )
    return shown


def _cost_names(points: Sequence[Point]) -> list[str]:
    return [name for name in PRICES if all(getattr(point.cost, name) is not None for point in points)]


def _percent(point: Point) -> str:
    return f"{100 * point.accuracy:.2f}"


def to_csv(found: Found) -> str:
    """One line per point: widths of every population, accuracy, costs, saturation, and whether it matters."""
    names = found.subject.populations
    costs = _cost_names(found.points)
    widths = [f"{name}.{key}" for name in names for key in ("weight_bits", "state_bits", "leak_bits")]
    saturation = [f"{name}.saturated" for name in names]
    on_front = {str(point.widths) for point in found.front}
    best = str(found.recommended.widths) if found.recommended is not None else ""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([*widths, "accuracy", "lost", *costs, *saturation, "pareto", "recommended"])
    for point in found.points:
        rows = [number for row in numbers(point.widths, names) for number in row]
        lost = f"{found.float_accuracy - point.accuracy:.6f}"
        shares = (f"{point.saturation[name]:.6f}" if name in point.saturation else "" for name in names)
        marks = (int(str(point.widths) in on_front), int(str(point.widths) == best))
        writer.writerow(
            [*rows, f"{point.accuracy:.6f}", lost, *(getattr(point.cost, c) for c in costs), *shares, *marks]
        )
    return text.getvalue()


def pareto(found: Found) -> bytes:
    """Picture of all points, accuracy against cost, with the front and the chosen one, as PNG."""
    figure = make_figure(8.4, 4.8)
    axes = figure.subplots()
    price, unit = PRICES[found.request.price].of, PRICES[found.request.price].unit
    costs = [price(point) for point in found.points]
    right = [100 * point.accuracy for point in found.points]
    axes.scatter(costs, right, s=16, color=PALE, label=f"{len(found.points)} points")
    on_front = sorted((price(point), 100 * point.accuracy) for point in found.front)
    axes.plot(*zip(*on_front, strict=True), drawstyle="steps-post", color=ACCENT, lw=1.4, marker="o", ms=4,
              label="none is better and cheaper")  # fmt: skip
    level = 100 * found.float_accuracy
    axes.axhline(level, color=INK, lw=1, ls=(0, (4, 3)), label=f"float, {level:.2f} %")
    allowed = level - 100 * found.request.tolerance
    axes.axhspan(allowed, level, color=ACCENT, alpha=0.07, lw=0)
    best = found.recommended
    if best is not None:
        at = (price(best), 100 * best.accuracy)
        axes.scatter(*at, s=90, facecolors="none", edgecolors=WARN, linewidths=1.8, zorder=3, label="recommended")
        axes.annotate(f"{label(best.widths)}\n{at[1]:.2f} %", at, xytext=(12, -30), textcoords="offset points",
                      color=INK, fontsize=9, arrowprops={"arrowstyle": "-", "color": QUIET})  # fmt: skip
    span = max(level - min((y for _, y in on_front), default=level), 1.0)
    axes.set_ylim(max(0.0, level - min(span, 8.0) - 1.0), min(100.5, max([level, *right]) + 0.6))
    below = int(sum(y < axes.get_ylim()[0] for y in right))
    axes.set_xlabel(unit + (f"   ({below} point{'s' * (below != 1)} below the picture)" if below else ""))
    axes.set_ylabel("accuracy (%)")
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    return finish(figure, "", "").png


def write(found: Found, out: Path) -> None:
    """Write ``search.csv``, ``profile.csv`` and ``pareto.png``, each whole or not at all."""
    contents = {"search.csv": to_csv(found).encode(), "pareto.png": pareto(found)}
    if found.profile:
        contents["profile.csv"] = profile_csv(found.profile).encode()
    for name, content in contents.items():
        with whole_file(out / name) as temporary:
            temporary.write_bytes(content)
