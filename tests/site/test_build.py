from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ELSEWHERE = re.compile(r"^(?:https?:)?//")
LOADED = {"link": "href", "object": "data"} | dict.fromkeys(("script", "img", "iframe", "source", "video"), "src")
NOT_LOADED = {"canonical", "prev", "next", "edit", "alternate"}  # kinds of <link> that only tell where something is
STYLE = re.compile(r"(?:url\(|@import)\s*['\"]?((?:https?:)?//[^'\")\s]+)")


class Loads(HTMLParser):
    """Addresses elsewhere that a browser would ask for when it shows a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        address = values.get(LOADED.get(tag, ""), "")
        if ELSEWHERE.match(address) and not (tag == "link" and values.get("rel") in NOT_LOADED):
            self.found.append(address)
        self.found += STYLE.findall(values.get("style", ""))


def asked_for(text: str, suffix: str) -> list[str]:
    """What a page or a style sheet asks of the network."""
    if suffix == ".css":
        return STYLE.findall(text)
    parser = Loads()
    parser.feed(text)
    styles = re.findall(r"<style.*?</style>", text, re.DOTALL)
    return [*parser.found, *(found for style in styles for found in STYLE.findall(style))]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as `mkdocs build --strict` makes it: a broken link or anchor is an error there."""
    folder = tmp_path_factory.mktemp("site")
    run = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    return folder


def test_no_page_asks_anything_of_the_network(site: Path) -> None:
    files = [path for path in site.rglob("*") if path.suffix in (".html", ".css")]
    assert len([path for path in files if path.suffix == ".html"]) > 25
    asked = {path.name: asked_for(path.read_text(encoding="utf-8"), path.suffix) for path in files}
    assert {name: found for name, found in asked.items() if found} == {}


def test_no_formula_is_left_to_a_script(site: Path) -> None:
    assert "<math" in (site / "semantics.html").read_text(encoding="utf-8")
    assert [page.name for page in site.rglob("*.html") if "arithmatex" in page.read_text(encoding="utf-8")] == []


@pytest.mark.parametrize(
    ("text", "suffix"),
    [
        ('<script src="https://example.org/a.js"></script>', ".html"),
        ('<link rel="stylesheet" href="//example.org/a.css">', ".html"),
        ('<img src="https://example.org/a.png">', ".html"),
        ("<style>@import 'https://example.org/a.css';</style>", ".html"),
        ("a { background: url(https://example.org/a.png) }", ".css"),
    ],
)
def test_a_page_that_asks_is_found(text: str, suffix: str) -> None:
    assert len(asked_for(text, suffix)) == 1


def test_a_link_to_click_on_is_no_question() -> None:
    link = '<a href="https://example.org">there</a><link rel="canonical" href="https://example.org">'
    assert asked_for(link, ".html") == []


def test_what_the_scripts_of_the_site_import_is_pinned() -> None:
    pins = re.findall(r"^([\w.-]+)==", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)
    pinned = {re.sub(r"[-_.]+", "-", name).lower() for name in pins}
    owners = packages_distributions()
    modules = set[str]()
    for script in (ROOT / "docs" / "scripts").glob("*.py"):
        for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            modules |= {name.partition(".")[0] for name in names}
    foreign = sorted(modules - set(sys.stdlib_module_names))
    assert "latex2mathml" in foreign
    found = {name: {re.sub(r"[-_.]+", "-", owner).lower() for owner in owners.get(name, ())} for name in foreign}
    assert [name for name in foreign if not found[name] & pinned] == []
