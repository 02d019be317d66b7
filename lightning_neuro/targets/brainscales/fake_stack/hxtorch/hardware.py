"""Whether somebody holds the chip."""

from __future__ import annotations

held = False


def take() -> None:
    """Take hold of the chip."""
    global held
    if held:
        raise RuntimeError("init_hardware() twice without release_hardware()")
    held = True


def give_back() -> None:
    """Give it back."""
    global held
    held = False
