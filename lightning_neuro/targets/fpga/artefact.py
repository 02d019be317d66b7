"""Writes the artefact: VHDL, generated package, testbench with vectors, scripts and README."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from numpy.typing import NDArray

from lightning_neuro.graph.hardware_graph import HardwareGraph, Leak
from lightning_neuro.targets.base import TestVectors
from lightning_neuro.targets.fpga.ghdl import RTL_FILES
from lightning_neuro.targets.fpga.icarus import index_bits
from lightning_neuro.targets.fpga.package import network_package
from lightning_neuro.targets.fpga.plan import LayerPlan
from lightning_neuro.targets.fpga.vectors import write_vectors

GENERATED = "network_pkg.vhd"
_HERE = files("lightning_neuro.targets.fpga")
_TEMPLATES = Environment(
    loader=PackageLoader("lightning_neuro.targets.fpga"), undefined=StrictUndefined, keep_trailing_newline=True
)


def write_artefact(
    graph: HardwareGraph,
    layers: Sequence[LayerPlan],
    folder: Path,
    vectors: TestVectors,
    *,
    part: str,
    clock_mhz: float,
) -> None:
    """Write everything into an empty folder.

    Args:
        graph: quantised graph.
        layers: its plan.
        folder: existing folder.
        vectors: recorded test vectors.
        part: Vivado's name of the device.
        clock_mhz: clock in MHz.
    """
    rtl, testbench = folder / "rtl", folder / "testbench"
    rtl.mkdir()
    testbench.mkdir()
    for name in RTL_FILES:
        text = network_package(layers) if name == GENERATED else (_HERE / "rtl" / name).read_text()
        (rtl / name).write_text(text)
    (testbench / "testbench.vhd").write_text((_HERE / "bench" / "testbench.vhd").read_text())
    write_vectors(testbench, layers, vectors)
    (testbench / "run_ghdl.sh").write_text(
        _filled("run_ghdl.sh", {"RTL_FILES": " ".join(f'"$rtl/{n}"' for n in RTL_FILES)})
    )
    (testbench / "run_ghdl.sh").chmod(0o755)
    values = {
        "PART": part,
        "CLOCK_NS": f"{1000 / clock_mhz:.3f}",
        "FILES": "\n".join(f"  [file join $here rtl {name}] \\" for name in RTL_FILES),
    }
    (folder / "vivado.tcl").write_text(_filled("vivado.tcl", values))
    write_readme(graph, layers, folder, part=part, clock_mhz=clock_mhz, resources={})


def write_readme(
    graph: HardwareGraph,
    layers: Sequence[LayerPlan],
    folder: Path,
    *,
    part: str,
    clock_mhz: float,
    resources: Mapping[str, object],
) -> None:
    """Write the artefact's README; called again with the measured numbers after verification."""
    text = _TEMPLATES.get_template("README.md.j2").render(
        title="-".join(str(n) for n in (layers[0].inputs, *(layer.neurons for layer in layers))),
        layers=layers,
        leaks=[describe_leak(layer.leak) for layer in layers],
        formats=[f"{p.state_format.lsb:.3g}" for p in graph.populations if p.state_format is not None],
        input_bits=index_bits(layers[0].inputs),
        output_bits=index_bits(layers[-1].neurons),
        emits=layers[-1].emits_membranes,
        currents=any(layer.current_bits for layer in layers),
        readout=graph.readout.value,
        spreads=[layer for layer in layers if layer.spread is not None],
        gated=[x for x in layers if x.fires_from or x.fires_until or any(b.onset or b.end for b in x.biases)],
        input_numbering=describe_order(layers[0].input_order),
        output_numbering=describe_order(layers[-1].order),
        numbers=number_rows(resources),
        part=part,
        clock_mhz=f"{clock_mhz:g}",
    )
    (folder / "README.md").write_text(text)


def number_rows(resources: Mapping[str, object]) -> list[tuple[str, str]]:
    """Names and values for a table, nested mappings flattened.

    >>> number_rows({"lanes": [4, 2], "xc7": {"lut": 12}})
    [('lanes', '4, 2'), ('xc7 lut', '12')]
    """
    rows: list[tuple[str, str]] = []
    for key, value in resources.items():
        name = key.replace("_", " ")
        if isinstance(value, Mapping):
            rows += [(f"{name} {inner}", text) for inner, text in number_rows(value)]
        else:
            rows.append((name, ", ".join(map(str, value)) if isinstance(value, list) else str(value)))
    return rows


def describe_order(order: NDArray[np.int64]) -> str:
    """How the hardware numbers lines where the network does it otherwise.

    >>> describe_order(np.array([0, 2, 1, 3]))
    ', place by place, the channels of a place together'
    """
    return "" if (np.diff(order) == 1).all() else ", place by place, the channels of a place together"


def describe_leak(leak: Leak) -> str:
    """How a leak is built.

    >>> import numpy as np
    >>> describe_leak(Leak(beta=np.ones(1), multiplier=np.array([1]), shift=4))
    'v >> 4'
    """
    multiplier, shift = leak.integers()
    distinct = sorted(set(multiplier.tolist()))
    if distinct == [0]:
        return "none"
    if distinct == [1]:
        return f"v >> {shift}"
    return f"(v * {distinct[0] if len(distinct) == 1 else 'L'}) >> {shift}"


def _filled(name: str, values: Mapping[str, str]) -> str:
    """A script with its @PLACES@ filled."""
    text = (_HERE / "templates" / name).read_text()
    for key, value in values.items():
        text = text.replace(f"@{key}@", value)
    return text
