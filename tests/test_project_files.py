"""What people look for at the top of a repository: how to contribute, how to cite."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from lightning_neuro import __version__

ROOT = Path(__file__).parent.parent
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_citation_has_the_keys_that_its_format_requires() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= set(citation)  # required by version 1.2.0
    assert citation["cff-version"] == "1.2.0" and citation["type"] in ("software", "dataset")
    assert citation["authors"] and all(set(author) & {"name", "family-names"} for author in citation["authors"])
    assert citation["version"] == __version__
    assert citation["license"] == "Apache-2.0"
    assert all(isinstance(citation[key], str) for key in ("cff-version", "message", "title", "version"))


def test_files_and_goals_named_in_contributing_exist() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", CONTRIBUTING)
    code = re.findall(r"`((?:lightning_neuro|tests|conf|docs|\.ci)/[\w./]*|\w+\.(?:toml|txt))`", CONTRIBUTING)
    assert len(links) > 3 and len(code) > 8
    assert [name for name in (*links, *code) if not (ROOT / name).exists()] == []
    goals = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"^make (\w+)", CONTRIBUTING, re.MULTILINE)) <= goals
