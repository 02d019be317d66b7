"""One page in headless Chromium: what it shows, what it asks for, how wide it is."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

pytest.importorskip("playwright.sync_api", reason="pip install playwright")
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
)  # fmt: skip
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="apt-get install chromium")


@dataclass
class Seen:
    """An open page and what it did so far.

    Args:
        page: of playwright.
        complaints: errors and warnings on its console, and scripts that failed.
        requests: everything it asked for but the file itself.
    """

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser without a network of its own."""
    with sync_playwright() as running:
        started = running.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield started
        started.close()


def visit(opened: Browser, file: Path, *, width: int, scheme: str) -> Seen:
    """Open a file at a width, light or dark; whoever calls closes the page."""
    page = opened.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    seen = Seen(page=page)
    page.on("console", lambda m: seen.complaints.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    address = file.resolve().as_uri()
    page.on("request", lambda r: seen.requests.append(r.url) if r.url != address and r.url[:5] != "data:" else None)
    page.goto(address, wait_until="load")
    return seen
