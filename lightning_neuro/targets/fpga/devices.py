"""What Xilinx 7-series devices have, and how much of it a design takes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from lightning_neuro.report import Capacity, Use

SOURCE = "AMD DS180 (7 Series Overview) and DS190 (Zynq-7000 Overview); before placement"


class Device(NamedTuple):
    """Six-input LUTs, flip-flops, block RAMs of 36 Kb and DSP48E1 slices of a device."""

    lut: int
    ff: int
    ramb36: int
    dsp: int


DEVICES: Mapping[str, Device] = {
    "xc7s6": Device(3_752, 7_504, 5, 10),
    "xc7s15": Device(8_000, 16_000, 10, 20),
    "xc7s25": Device(14_600, 29_200, 45, 80),
    "xc7s50": Device(32_600, 65_200, 75, 120),
    "xc7s75": Device(48_000, 96_000, 90, 140),
    "xc7s100": Device(64_000, 128_000, 120, 160),
    "xc7a12t": Device(8_000, 16_000, 20, 40),
    "xc7a15t": Device(10_400, 20_800, 25, 45),
    "xc7a25t": Device(14_600, 29_200, 45, 80),
    "xc7a35t": Device(20_800, 41_600, 50, 90),
    "xc7a50t": Device(32_600, 65_200, 75, 120),
    "xc7a75t": Device(47_200, 94_400, 105, 180),
    "xc7a100t": Device(63_400, 126_800, 135, 240),
    "xc7a200t": Device(134_600, 269_200, 365, 740),
    "xc7k70t": Device(41_000, 82_000, 135, 240),
    "xc7k160t": Device(101_400, 202_800, 325, 600),
    "xc7k325t": Device(203_800, 407_600, 445, 840),
    "xc7k355t": Device(222_600, 445_200, 715, 1_440),
    "xc7k410t": Device(254_200, 508_400, 795, 1_540),
    "xc7k420t": Device(260_600, 521_200, 835, 1_680),
    "xc7k480t": Device(298_600, 597_200, 955, 1_920),
    "xc7z007s": Device(14_400, 28_800, 50, 66),
    "xc7z010": Device(17_600, 35_200, 60, 80),
    "xc7z012s": Device(34_400, 68_800, 72, 120),
    "xc7z014s": Device(40_600, 81_200, 107, 170),
    "xc7z015": Device(46_200, 92_400, 95, 160),
    "xc7z020": Device(53_200, 106_400, 140, 220),
    "xc7z030": Device(78_600, 157_200, 265, 400),
    "xc7z035": Device(171_900, 343_800, 500, 900),
    "xc7z045": Device(218_600, 437_200, 545, 900),
    "xc7z100": Device(277_400, 554_800, 755, 2_020),
}

_DEVICE = re.compile(r"xc7(?:[ak]\d+t|s\d+|z\d+s?)")


def device_of(part: str) -> str | None:
    """Name of the device in Vivado's name of a part; None when it is not in the table.

    >>> device_of("xc7z020clg400-1"), device_of("xc7s50csga324-1"), device_of("xczu3eg")
    ('xc7z020', 'xc7s50', None)
    """
    found = _DEVICE.match(part.lower())
    return found[0] if found is not None and found[0] in DEVICES else None


def capacity_of(part: str, resources: Mapping[str, object]) -> Capacity | None:
    """A design against its device; None when its cells were not counted or the device is not in the table.

    Args:
        part: Vivado's name of the part.
        resources: of the report; ``"xc7"`` holds the cells.
    """
    name, cells = device_of(part), resources.get("xc7")
    if name is None or not isinstance(cells, Mapping):
        return None
    device = DEVICES[name]
    uses = (
        Use(what="LUT", used=cells["lut"] + cells["lutram"] + cells["srl"], available=device.lut),
        Use(what="flip-flops", used=cells["ff"], available=device.ff),
        Use(what="block RAM (36 Kb)", used=cells["ramb36"] + cells["ramb18"] / 2, available=device.ramb36),
        Use(what="DSP", used=cells["dsp"], available=device.dsp),
    )
    return Capacity(device=name, uses=uses, source=SOURCE)
