"""What MkDocs does to the pages on their way to the site: formulas become MathML, files outside docs/ become pages.

The pages in docs/ are read in two places, on a code host and on the site. Formulas are written as ``$...$`` and
``$$...$$``, which both know, and become MathML here, so that a browser needs no script and no network for them.
"""

from __future__ import annotations

import html
import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latex2mathml.converter import convert

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
PAGES_OF_THE_ROOT = ("CONTRIBUTING.md", "CHANGELOG.md")
EXAMPLES = ("*.py", "*.ipynb", "*.png")

_FORMULA = re.compile(r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', re.DOTALL)
_LINK = re.compile(r"(\]\()([^)\s#:]+)(#[^)\s]*)?(\))")


def on_files(files: Files, config: MkDocsConfig, **_: Any) -> Files:
    """Take files of the checkout's top and of ``examples/`` into the site."""
    from mkdocs.structure.files import File

    found = [ROOT / name for name in (*PAGES_OF_THE_ROOT, "LICENSE") if (ROOT / name).is_file()]
    found += [path for pattern in EXAMPLES for path in sorted((ROOT / "examples").glob(pattern))]
    for path in found:
        files.append(File.generated(config, path.relative_to(ROOT).as_posix(), abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Links that leave docs/ in the checkout stay inside the site."""
    folder = posixpath.dirname(page.file.src_uri)
    top = page.file.src_uri in PAGES_OF_THE_ROOT
    return _LINK.sub(lambda found: f"{found[1]}{_on_site(found[2], folder, top)}{found[3] or ''}{found[4]}", markdown)


def _on_site(link: str, folder: str, top: bool) -> str:
    if top:
        return link.removeprefix("docs/")
    inside = posixpath.normpath(posixpath.join("docs", folder, link))
    return link if inside.startswith("docs/") else posixpath.relpath(inside, folder or ".")


def on_page_content(content: str, **_: Any) -> str:
    r"""Formulas as MathML.

    >>> on_page_content('<span class="arithmatex">\\(v &gt; 1\\)</span>').count("<math")
    1
    """
    return _FORMULA.sub(lambda found: _mathml(html.unescape(found[3]), block=found[2] == "["), content)


def _mathml(latex: str, *, block: bool) -> str:
    markup = convert(latex.strip(), display="block" if block else "inline")
    return f'<div class="formula">{markup}</div>' if block else markup
