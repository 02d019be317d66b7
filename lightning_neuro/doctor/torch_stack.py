"""torch, what is built on it, and the GPU: tried in a process of its own, because a clash breaks the import itself."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from lightning_neuro.doctor.finding import Finding, Status
from lightning_neuro.errors import ToolError
from lightning_neuro.tools import run_tool

GROUP = "torch"
LONGEST_S = 180.0

TRY = """
import importlib, json
said = {}
for name in ("torch", "torchvision", "pytorch_lightning", "torchmetrics", "norse.torch", "snntorch"):
    try:
        module = importlib.import_module(name)
        said[name] = {"version": getattr(module, "__version__", "")}
    except ModuleNotFoundError as error:
        said[name] = {"absent": error.name or name}
    except Exception as error:
        said[name] = {"error": f"{type(error).__name__}: {error}"}
try:
    import torch
    cuda = torch.cuda.is_available()
    said["gpu"] = {"name": torch.cuda.get_device_name(0) if cuda else "", "built": torch.version.cuda or ""}
except Exception as error:
    said["gpu"] = {"error": f"{type(error).__name__}: {error}"}
print("\\n" + json.dumps(said))
"""

CLASH = (
    "torch and torchvision are not from one build (a CPU file of torch beside the package index's torchvision, or the "
    "other way round): torchvision's operators do not load, and Norse and Lightning's metrics import it"
)
PAIR = "pip install --upgrade --force-reinstall torch torchvision   (both from one place; or pip uninstall torchvision)"

Said = dict[str, dict[str, str]]


def torch_stack(python: str = sys.executable) -> tuple[Finding, ...]:
    """Import every library in a process of its own and say what happened.

    Args:
        python: interpreter to ask.
    """
    try:
        done = run_tool([python, "-c", TRY], cwd=Path(tempfile.gettempdir()), timeout_s=LONGEST_S)
        said: Said = json.loads(done.stdout.strip().splitlines()[-1])
    except (ToolError, json.JSONDecodeError, IndexError) as error:
        why = error.why if isinstance(error, ToolError) else str(error)
        return (
            Finding(
                group=GROUP,
                name="import torch",
                status=Status.BROKEN,
                detail=f"the process that imports it died: {why.strip()[-200:]}",
                remedy="pip install --upgrade --force-reinstall torch",
            ),
        )
    return (*libraries(said), gpu(said.get("gpu", {})))


def libraries(said: Said) -> tuple[Finding, ...]:
    """What importing each library gave."""
    clash = "torchvision::" in json.dumps(said) or "error" in said.get("torchvision", {})
    return tuple(_library(name, outcome, clash) for name, outcome in said.items() if name != "gpu")


def _library(name: str, outcome: dict[str, str], clash: bool) -> Finding:
    title = f"import {name}"
    if "version" in outcome:
        return Finding(group=GROUP, name=title, status=Status.GOOD, found=outcome["version"])
    if "absent" in outcome:
        if name == "torchvision":
            return Finding(
                group=GROUP,
                name=title,
                status=Status.ABSENT,
                detail="would enable the download of MNIST (data=mnist)",
                remedy="pip install torchvision",
            )
        needed = outcome["absent"]
        return Finding(
            group=GROUP,
            name=title,
            status=Status.BROKEN,
            detail=f"the module {needed} is not installed",
            remedy="pip install lightning-neuro" if needed.startswith(name.split(".")[0]) else f"pip install {needed}",
        )
    first = outcome["error"].splitlines()[0][:160]
    if clash:
        return Finding(group=GROUP, name=title, status=Status.BROKEN, detail=f"{first}: {CLASH}", remedy=PAIR)
    return Finding(
        group=GROUP,
        name=title,
        status=Status.BROKEN,
        detail=first,
        remedy="pip install --upgrade --force-reinstall lightning-neuro",
    )


def gpu(said: dict[str, str]) -> Finding:
    """Whether torch sees a GPU; every command works without one."""
    if said.get("name"):
        return Finding(group=GROUP, name="GPU", status=Status.GOOD, found=said["name"], detail="trainer=gpu uses it")
    if said.get("error"):
        return Finding(group=GROUP, name="GPU", status=Status.ABSENT, detail=f"cannot be asked: {said['error'][:160]}")
    why = "this torch is built without CUDA" if not said.get("built") else "torch sees no NVIDIA GPU"
    return Finding(group=GROUP, name="GPU", status=Status.ABSENT, detail=f"{why}; everything runs on the CPU")
