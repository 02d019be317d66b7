"""The demo's page in a browser: wide and narrow, light and dark, without errors, overflow or dead links."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lightning_neuro.demo.page import to_html
from tests.demo.cells import FACTS

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CHROMIUM = Path("/usr/bin/chromium")
if not CHROMIUM.exists():
    pytest.skip(f"no {CHROMIUM}; apt-get install chromium", allow_module_level=True)
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed; pip install playwright")

LEAST_CONTRAST = 4.5  # of WCAG 2.2, 1.4.3
CONTRASTS = """() => {
  const part = c => { c /= 255; return c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4; };
  const light = rgb => .2126 * part(rgb[0]) + .7152 * part(rgb[1]) + .0722 * part(rgb[2]);
  const rgba = text => text.match(/[\\d.]+/g).map(Number);
  const behind = e => { for (; e; e = e.parentElement) { const c = rgba(getComputedStyle(e).backgroundColor);
    if (c.length < 4 || c[3] > 0) return c; } return [255, 255, 255]; };
  return [...document.querySelectorAll("main *")]
    .filter(e => e.offsetParent && [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()))
    .map(e => { const [a, b] = [light(rgba(getComputedStyle(e).color)), light(behind(e))];
      return [(Math.max(a, b) + .05) / (Math.min(a, b) + .05), e.textContent.trim().slice(0, 40)]; });
}"""
OVERFLOWING = """() => [document.documentElement, ...document.querySelectorAll("main *")]
  .filter(e => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== "inline")
  .map(e => `${e.tagName}.${e.className}: ${e.scrollWidth} in ${e.clientWidth} px: ${e.textContent.slice(0, 40)}`)"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def site(tmp_path, nine) -> Path:
    """A demo's folder whose reports and logs name themselves."""
    for row in nine:
        for name in filter(None, (row.report, row.log)):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(f"<title>{name}</title>" if name.endswith("html") else name)
    (tmp_path / "index.html").write_text(to_html(nine, FACTS), encoding="utf-8")
    return tmp_path / "index.html"


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_and_can_be_read(browser, site, width, scheme):
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: said.append(request.url) if request.url != site.as_uri() else None)
    page.goto(site.as_uri())
    assert said == []
    assert page.evaluate(OVERFLOWING) == []
    contrasts = page.evaluate(CONTRASTS)
    assert len(contrasts) > 100
    assert [found for found in contrasts if found[0] < LEAST_CONTRAST] == []
    page.close()


def test_every_link_arrives(browser, site, nine):
    page = browser.new_page()
    page.goto(site.as_uri())
    links = page.eval_on_selector_all("a", "all => all.map(a => a.href)")
    for link in set(links):
        path, _, mark = link.partition("#")
        assert Path(path.removeprefix("file://")).is_file(), link
        assert not mark or page.locator(f"[id='{mark}']").count() == 1, link
    for number, row in enumerate(nine):
        page.goto(site.as_uri())
        page.locator("a.tile").nth(number).click()
        assert (page.title() == row.report) if row.report else page.url.endswith(f"#{row.cell.name}")
    page.close()
