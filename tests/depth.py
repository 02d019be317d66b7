"""Two depths of testing: ``make test`` on every change; ``make test-all`` adds more networks, files and pages."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from _pytest.mark.structures import ParameterSet

thorough = pytest.mark.thorough


def graded(values: Iterable[object], quick: int) -> list[ParameterSet]:
    """Parameters of a test: the first ``quick`` at both depths, all others at the second."""
    return [pytest.param(value, marks=[thorough] if at >= quick else []) for at, value in enumerate(values)]
