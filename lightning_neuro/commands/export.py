"""``lightning-neuro export PATH [key=value ...]``: overrides over ``conf/export.yaml``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lightning_neuro.arguments import file_and_overrides, help_or_nothing
from lightning_neuro.value_rules import positive, text, whole

USAGE = """\
Write a trained network as a NIR file and prove it:  lightning-neuro export PATH [key=value ...]

  PATH            a checkpoint (.ckpt) or a NIR file (.nir)
  out=            file to write; default beside PATH, with its name
  profile=        for the reader of another tool: snntorch, norse, hxtorch, spinnaker2, sinabs
                  without it: NIR with dt, resets and read-out in its metadata
  dt=             step in seconds, for a .nir file without metadata
  samples=64      inputs on which the spikes of the written file are compared

Exit code: 0 written and proved, 2 refused.
Example: lightning-neuro export outputs/latest/best.ckpt out=lif.nir profile=norse
"""

KEYS = ("out", "profile", "dt", "samples")


def export_main(arguments: Sequence[str]) -> None:
    """Entry point of ``lightning-neuro export``."""
    help_or_nothing(arguments, USAGE)
    path, overrides = file_and_overrides(
        arguments, "export", "lightning-neuro export outputs/latest/best.ckpt out=network.nir", KEYS
    )
    from lightning_neuro.config import check_values, compose_overrides
    from lightning_neuro.export import export

    cfg = compose_overrides("export", overrides, next_command="lightning-neuro export --help")
    check_values(cfg, _RULES)
    done = export(
        path,
        out=None if cfg.out is None else Path(cfg.out),
        profile=cfg.profile,
        dt_s=None if cfg.dt is None else float(cfg.dt),
        samples=cfg.samples,
    )
    print(f"wrote {done.path}: {done.comparison}")
    for note in done.notes:
        print(f"  {note}")


_RULES = {
    "dt": positive("seconds", "1e-3", optional=True),
    "samples": whole(1, "64"),
    "out": text("a file", "network.nir", optional=True),
    "profile": text("a name", "norse", optional=True),
}
