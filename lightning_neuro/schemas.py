"""Versions of the files that outlive a program, in one place, and the message for a file of a newer one.

A version rises when an older program would misread the file; keys that older programs may ignore leave it as it is.
What a program writes it also reads; older versions are read as long as this file says so (so far there is only version
1 of each). ``report.schema.json`` is the published form of ``report.json``.
"""

from __future__ import annotations

from lightning_neuro.errors import NeuroError

CHECKPOINT = 1  # the key ``lightning_neuro`` of a checkpoint
NIR_METADATA = 1  # the metadata of a NIR file
REPORT = 1  # ``report.json``
JOURNAL = 1  # ``points.jsonl`` of a search


def refuse_newer(found: object, known: int, *, kind: type[NeuroError], what: str, where: str) -> None:
    """Refuse a file that a newer lightning_neuro wrote; everything else is left to the reader of the file.

    Args:
        found: version in the file, as it was read; no number is damage, not news.
        known: the newest version that this program reads.
        kind: of the error.
        what: was read, for example "report".
        where: file.

    Raises:
        NeuroError: of the given kind.

    >>> refuse_newer(1, 1, kind=NeuroError, what="report", where="report.json")
    """
    version = found if isinstance(found, int) else int(found) if isinstance(found, str) and found.isdigit() else 0
    if version > known:
        raise kind(
            f"this {what} was written by a newer lightning_neuro; this one reads schema {known}",
            where=where,
            why=f"it has schema {version}, whose meaning this program cannot know",
            next_command="pip install -U lightning-neuro",
        )
