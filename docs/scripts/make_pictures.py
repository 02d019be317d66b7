"""Takes the pictures of README and pages: screenshots of reports and of the demo's page, in headless Chromium.

    python docs/scripts/make_pictures.py outputs/demo

The folder is what ``make demo`` left. A picture whose page is missing is left as it is, and said.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import sync_playwright

PICTURES = Path(__file__).parents[1] / "pictures"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One picture.

    Args:
        name: of the file.
        page: HTML file, relative to the demo's folder; the first that exists.
        scheme: "light" or "dark".
        width, height: of the window in pixels.
    """

    name: str
    page: str
    scheme: str
    width: int
    height: int


SHOTS = (
    Shot(name="demo", page="index.html", scheme="light", width=1280, height=900),
    Shot(name="report_light", page="lif/deploy/fpga/report.html", scheme="light", width=1280, height=1000),
    Shot(name="report_spinnaker", page="lif/deploy/spinnaker/report.html", scheme="light", width=1280, height=1000),
)


def main(demo: Path) -> None:
    """Take every picture whose page exists."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for shot in SHOTS:
            page = demo / shot.page
            if not page.is_file():
                print(f"{shot.name}.png left as it is: no {page}")
                continue
            view = browser.new_page(
                viewport={"width": shot.width, "height": shot.height},
                color_scheme="dark" if shot.scheme == "dark" else "light",
            )
            view.goto(page.resolve().as_uri())
            view.screenshot(path=PICTURES / f"{shot.name}.png")
            view.close()
            print(PICTURES / f"{shot.name}.png")
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
