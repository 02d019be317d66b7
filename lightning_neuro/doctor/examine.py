"""All looks at the machine, in the order in which they are shown."""

from __future__ import annotations

from collections.abc import Iterable

from lightning_neuro.doctor.finding import Finding, Status
from lightning_neuro.doctor.folder import output_folder, temporary_folder
from lightning_neuro.doctor.programs import programs
from lightning_neuro.doctor.python import interpreter, optional_packages, required_packages, this_package
from lightning_neuro.doctor.torch_stack import torch_stack


def examine() -> tuple[Finding, ...]:
    """Look at everything; takes the seconds that importing torch takes."""
    return (
        this_package(),
        interpreter(),
        *required_packages(),
        *torch_stack(),
        *optional_packages(),
        *programs(),
        output_folder(),
        temporary_folder(),
    )


def healthy(findings: Iterable[Finding]) -> bool:
    """Whether everything that is needed works."""
    return all(finding.status is not Status.BROKEN for finding in findings)
