"""Stand-in for the package of the same name: no chip, strict rules."""

from __future__ import annotations

connected = False
"""Whether ``init_hardware`` was called."""


def init_hardware() -> None:
    """Take hold of the chip."""
    global connected
    if connected:
        raise RuntimeError("init_hardware() twice without release_hardware()")
    connected = True


def release_hardware() -> None:
    """Give it back."""
    global connected
    connected = False
