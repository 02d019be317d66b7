"""What a run leaves behind: config.yaml, metrics.json, curves.png, pictures, outputs/latest, and a closing table."""

from __future__ import annotations

import json
import math
from pathlib import Path
from statistics import median
from typing import Protocol, runtime_checkable

import pytorch_lightning as pl
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.table import Table

from lightning_neuro.convert.result import ConversionResult
from lightning_neuro.data.module import ValuesModule
from lightning_neuro.finish import QuantizedResult
from lightning_neuro.history import History
from lightning_neuro.publish import whole_file

Numbers = dict[str, float]


@runtime_checkable
class DrawsItself(Protocol):
    """A model that writes pictures of what it does."""

    def write_pictures(self, data: ValuesModule, folder: Path) -> None:
        """Write pictures made with the test samples of ``data`` into a run folder."""
        ...


def begin(cfg: DictConfig, folder: Path) -> None:
    """Write the resolved configuration to ``config.yaml``; ``metrics.json`` will tell that the run has ended."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metrics.json").unlink(missing_ok=True)
    _write_whole(folder / "config.yaml", OmegaConf.to_yaml(cfg, resolve=True))


def write_metrics(
    history: History,
    trainer: pl.Trainer,
    seconds: float,
    quantized: QuantizedResult | None,
    converted: Numbers,
    folder: Path,
) -> Numbers:
    """Write and return ``metrics.json``: accuracies 0..1, epochs, seconds (of an epoch: the median), spikes.

    Args:
        history, trainer: of the run.
        seconds: that training took.
        quantized: what rounding cost; None without.
        converted: numbers of a conversion to spikes; empty without.
        folder: of the run.
    """
    best = best_epoch(history, trainer)
    numbers = {
        "test_accuracy": history.test.get("test/accuracy"),
        "quantized_test_accuracy": None if quantized is None else quantized.quantized,
        "test_loss": history.test.get("test/loss"),
        "val_accuracy": best.get("val/accuracy"),
        "epochs": float(trainer.current_epoch),
        "seconds": seconds,
        "seconds_per_epoch": median(epoch["seconds"] for epoch in history.epochs) if history.epochs else None,
        "spikes_per_sample": history.test.get("test/spikes_per_sample", best.get("val/spikes_per_sample")),
    }
    metrics = {name: value for name, value in numbers.items() if value is not None} | converted
    metrics["epochs"] = int(metrics["epochs"])
    _write_whole(folder / "metrics.json", json.dumps(metrics, indent=2) + "\n")  # it says that the run has ended
    return metrics


def _write_whole(path: Path, text: str) -> None:
    """Other processes of the run, and one that is started after a kill, read the whole file or none."""
    with whole_file(path) as written:
        written.write_text(text)


def best_epoch(history: History, trainer: pl.Trainer) -> dict[str, float]:
    """Return the numbers of the epoch that the trainer's checkpoint callback takes for the best; {} without any."""
    callback = trainer.checkpoint_callback
    monitor = getattr(callback, "monitor", None) or "val/loss"
    sign = -1 if getattr(callback, "mode", "min") == "max" else 1
    return min(history.epochs, key=lambda epoch: sign * epoch.get(monitor, sign * math.inf), default={})


def write_curves(history: History, folder: Path) -> None:
    """Write ``curves.png``; nothing when no epoch was finished."""
    from lightning_neuro.report.curves import draw_curves  # imported late: matplotlib takes a second

    if history.epochs:
        draw_curves(history.epochs, history.test, folder / "curves.png")


def write_pictures(model: pl.LightningModule, data: ValuesModule, folder: Path) -> None:
    """Write the pictures of a model that has some."""
    if isinstance(model, DrawsItself):
        model.write_pictures(data, folder)


def point_latest(folder: Path) -> None:
    """Let ``outputs/latest`` point to ``folder``, if it lies below a folder called outputs."""
    root = next((parent for parent in folder.resolve().parents if parent.name == "outputs"), None)
    if root is None:
        return
    link = root / "latest"
    try:
        if link.is_symlink():
            link.unlink()
        link.symlink_to(folder.resolve().relative_to(root), target_is_directory=True)
    except OSError:
        pass  # file systems without links: the run folder itself is printed anyway


def print_summary(metrics: Numbers, conversion: ConversionResult | None, folder: Path) -> None:
    """Print the numbers of the run and the next command.

    Args:
        metrics: as in ``metrics.json``.
        conversion: to spikes, of an ANN; None without.
        folder: of the run.
    """
    shown = _relative(folder)
    rows = {
        "test accuracy": _percent(metrics.get("test_accuracy")),
        **_conversion_rows(conversion),
        "after rounding": _percent(metrics.get("quantized_test_accuracy")),
        "validation accuracy": _percent(metrics.get("val_accuracy")),
        "epochs": str(metrics["epochs"]),
        "training time": f"{metrics['seconds']:.1f} s{_per_epoch(metrics)}",
        "spikes per sample": f"{metrics['spikes_per_sample']:.0f}" if "spikes_per_sample" in metrics else None,
        "run folder": shown,
        "next": f"deploy {shown}/best.ckpt target=fpga",
    }
    console = Console(highlight=False)
    console.print()
    if conversion is not None:
        console.print(_curve(conversion))
        console.print()
    for name, value in rows.items():
        if value is not None:  # no table: it would break the command to copy at the edge of a narrow terminal
            console.print(f"[bold]{name:<20}[/] {value}", soft_wrap=True)


def _conversion_rows(conversion: ConversionResult | None) -> dict[str, str]:
    if conversion is None:
        return {}
    options, found = conversion.plan.options, conversion.evaluation
    chosen = conversion.chosen
    return {
        "spiking network": f"{_percent(float(found.accuracy[chosen]))} at T = {options.steps}, {options.schedule}, "
        f"{found.differing[chosen]} of {len(found.labels)} answers differ from the ANN's",
        "synaptic operations": f"{found.synaptic_operations_per_sample[chosen]:,.0f} per sample",
    }


def _curve(conversion: ConversionResult) -> Table:
    """Accuracy and cost at every number of steps."""
    found = conversion.evaluation
    hybrid = conversion.hybrid
    table = Table("T", "accuracy", "below the ANN", "spikes", "synaptic operations", box=None)
    if hybrid is not None:
        table.add_column("hybrid")
    for column in table.columns:
        column.justify = "right"
    for k, steps in enumerate(found.steps):
        costs = (found.spikes_per_sample[k], found.synaptic_operations_per_sample[k])
        table.add_row(
            str(steps),
            f"{100 * found.accuracy[k]:.2f} %",
            f"{100 * found.gap[k]:.2f}",
            *(f"{cost:,.0f}" for cost in costs),
            *(() if hybrid is None else (f"{100 * hybrid.accuracy[k]:.2f} %",)),
        )
    return table


def _per_epoch(metrics: Numbers) -> str:
    seconds = metrics.get("seconds_per_epoch")
    return "" if seconds is None else f", {seconds:.3g} s per epoch"


def _percent(value: float | None) -> str | None:
    return None if value is None else f"{100 * value:.2f} %"


def _relative(folder: Path) -> str:
    try:
        return str(folder.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(folder)
