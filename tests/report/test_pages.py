"""The page of a real deployment in a real browser: it needs nothing, fits, and says what report.json says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lightning_neuro.deploy import VerifyRequest, deploy
from lightning_neuro.graph.widths import QuantizeRequest
from lightning_neuro.report.html import plot_panel
from lightning_neuro.report.plots import spike_time_errors
from lightning_neuro.targets.base import Job
from lightning_neuro.targets.fpga import FpgaTarget
from tests.conftest import ROOT
from tests.forks.client import program
from tests.report.browser import Seen, browser, needs_chromium, visit
from tests.targets.fpga.conftest import needs_ghdl

pytestmark = [pytest.mark.draws, needs_chromium, needs_ghdl]
VIEWS = [(1280, "light"), (1280, "dark"), (400, "light"), (400, "dark")]
PAPER = {"light": (246, 247, 249), "dark": (20, 23, 27)}


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenFpga(FpgaTarget):
    """Writes a threshold of the hidden layer that is 3 too high."""

    def write(self, job: Job, folder: Path) -> None:
        FpgaTarget.write(self, job, folder)
        package = folder / "rtl" / "network_pkg.vhd"
        text, count = re.subn(
            r"(THRESHOLDS_0 [^;]*others => )(\d+)", lambda m: f"{m[1]}{int(m[2]) + 3}", package.read_text(), count=1
        )
        assert count == 1
        package.write_text(text)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network after three epochs."""
    folder = tmp_path_factory.mktemp("pages")
    done = program(
        folder, "python", str(ROOT / "train.py"), "model=lif", "model.layers=[null,16,null]", "trainer.max_epochs=3",
        "hydra.run.dir=run",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder / "run" / "best.ckpt"


def deployed(path: Path, kind: type[FpgaTarget]) -> Path:
    """Folder of the artefact of a kind of target."""
    target = kind(lanes=16, clock_mhz=100.0, part="xc7z020clg400-1", synthesis=False, timeout_s=120.0)
    _, folder = deploy(
        path,
        target=target,
        out=path.parent / kind.__name__,
        dt_s=None,
        reset=None,
        quantize=QuantizeRequest(weight_bits=None, state_bits=None, leak_bits=None),
        verify=VerifyRequest(samples=4, strict=False),
        progress=lambda what, done, total: None,
    )
    return folder


@pytest.fixture(scope="session")
def correct(trained: Path) -> Path:
    return deployed(trained, FpgaTarget)


@pytest.fixture(scope="session")
def broken(trained: Path) -> Path:
    return deployed(trained, BrokenFpga)


@pytest.fixture(scope="module")
def opened() -> Iterator[Any]:
    with browser() as started:
        yield started


def document(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "report.json").read_text())


def told(seen: Seen) -> dict[str, str]:
    """Every number of the page that programs can read, by its place in report.json."""
    pairs = seen.page.eval_on_selector_all("[data-key]", "all => all.map(e => [e.dataset.key, e.dataset.value])")
    assert len(dict(pairs)) == len(pairs), "a key stands twice"
    return dict(pairs)


def at(tree: Any, key: str) -> Any:
    """The value of a dotted key."""
    for part in key.split("."):
        tree = tree[int(part)] if isinstance(tree, list) else tree[part]
    return tree


def overflowing(seen: Seen) -> list[str]:
    """What is wider than the window, and anything whose right edge stands out of the page without a scroll bar."""
    return seen.page.evaluate(
        """() => {
            const room = document.documentElement.clientWidth, out = [];
            if (document.documentElement.scrollWidth > room) out.push(`page: ${document.documentElement.scrollWidth}`);
            for (const e of document.querySelectorAll("main > *"))
                if (e.getBoundingClientRect().right > room + 0.5) out.push(e.className);
            return out;
        }"""
    )


@pytest.mark.parametrize("name", ["correct", "broken"])
@pytest.mark.parametrize(("width", "scheme"), VIEWS)
def test_page_asks_for_nothing_complains_of_nothing_and_fits(
    opened: Any, request: pytest.FixtureRequest, name: str, width: int, scheme: str
) -> None:
    seen = visit(opened, request.getfixturevalue(name) / "report.html", width=width, scheme=scheme)
    assert seen.complaints == [] and seen.requests == []
    seen.page.eval_on_selector_all("details", "all => all.forEach(e => e.open = true)")
    assert overflowing(seen) == []
    paper = seen.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == "rgb({}, {}, {})".format(*PAPER[scheme])
    seen.page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_in_pictures_of_matplotlib_are_readable(opened: Any, correct: Path, scheme: str) -> None:
    seen = visit(opened, correct / "report.html", width=1280, scheme=scheme)
    panel = plot_panel(spike_time_errors({"layer0": np.zeros(5)}))  # its title is left black by matplotlib
    seen.page.evaluate("html => document.querySelector('main').insertAdjacentHTML('beforeend', html)", str(panel.body))
    found = seen.page.eval_on_selector_all(".drawn text", "all => all.map(e => getComputedStyle(e).fill)")
    assert len(found) > 5 and set(found) == {seen.page.evaluate("getComputedStyle(document.body).color")}
    seen.page.close()


@pytest.mark.parametrize("name", ["correct", "broken"])
def test_numbers_of_the_page_are_those_of_the_json(opened: Any, request: pytest.FixtureRequest, name: str) -> None:
    folder = request.getfixturevalue(name)
    report = document(folder)
    seen = visit(opened, folder / "report.html", width=1280, scheme="light")
    shown = told(seen)
    wanted = {f"accuracy.{form}" for form in ("float", "quantized", "artefact")}
    wanted |= {f"checks.{k}.outcome" for k in range(len(report["checks"]))}
    wanted |= {f"graph.populations.{k}.size" for k in range(2)}
    assert wanted <= shown.keys()
    for key, text in shown.items():
        value = at(report, key)
        assert text == (value if isinstance(value, str) else json.dumps(value)), key
    for form in ("float", "quantized", "artefact"):
        visible = seen.page.locator(f'[data-key="accuracy.{form}"]').inner_text()
        assert visible == f"{100 * report['accuracy'][form]:.2f} %"
    for k, check in enumerate(report["checks"]):
        row = seen.page.locator(f'[data-key="checks.{k}.outcome"]').inner_text()
        assert check["name"] in row and check["outcome"] in row
    outcomes = {check["outcome"] for check in report["checks"]}
    verdict = "FAILED" if "failed" in outcomes else "INCOMPLETE" if "skipped" in outcomes else "PASSED"
    assert seen.page.locator("h1").inner_text() == verdict and report["ok"] is (verdict != "FAILED")
    seen.page.close()


def test_correct_page_has_every_picture(opened: Any, correct: Path) -> None:
    seen = visit(opened, correct / "report.html", width=1280, scheme="light")
    titles = seen.page.eval_on_selector_all("h2, summary", "all => all.map(e => e.textContent)")
    assert "First difference" not in titles
    for start in (
        "Spikes of sample", "Membranes of", "Weights before", "Membranes and the word", "Activity", "Cycles per sample",
        "Resources", "What these numbers assume", "Do it again", "Network", "Layers",
    ):  # fmt: skip
        assert any(title.startswith(start) for title in titles), start
    assert seen.page.locator(".net .box").count() == 3
    assert all(line["line"] in seen.page.content() for line in document(correct)["reproduce"])
    seen.page.close()


def test_broken_page_shows_the_first_difference_with_both_traces(opened: Any, broken: Path) -> None:
    report = document(broken)
    assert report["ok"] is False
    index, check = next((k, c) for k, c in enumerate(report["checks"]) if c["difference"] is not None)
    found = check["difference"]
    seen = visit(opened, broken / "report.html", width=1280, scheme="light")
    shown = told(seen)
    for part in ("layer", "sample", "step", "neuron"):
        assert shown[f"checks.{index}.difference.{part}"] == str(found[part])
    panel = seen.page.locator("section", has_text="First difference").first
    words = panel.inner_text()
    for fact in (f"layer {found['layer']}", f"step {found['step']}", f"neuron {found['neuron']}", "GHDL"):
        assert fact in words
    traces = [panel.locator(f"path.trace{kind}").first for kind in (":not(.artefact)", ".artefact")]
    golden, artefact = (trace.get_attribute("d") for trace in traces)
    assert golden and artefact and golden != artefact
    boxes = [trace.bounding_box() for trace in traces]
    assert all(box is not None and box["height"] > 10 for box in boxes)
    panel.locator("summary").click()
    cells = panel.locator("tr.marked td").all_inner_texts()
    assert cells[0] == str(found["step"]) and (cells[1] != cells[2] or cells[3] != cells[4])
    seen.page.close()
