"""Stand-in for the package of the same name: no chip, strict rules."""

from __future__ import annotations

from . import hardware

init_hardware, release_hardware = hardware.take, hardware.give_back
