"""Verilog between GHDL and the open tools: find what GHDL may have translated wrongly, make memories readable fast."""

from __future__ import annotations

import re
from dataclasses import dataclass

_MEMORY = re.compile(
    r"^ *reg (?:\[\d+:0\] )?(?P<name>\w+)\[(?P<top>\d+):0\] ; // memory\n +initial begin\n"
    r"(?P<words>(?: +\w+\[\d+\] = \d+'b[01]+;\n)+) +end\n",
    re.MULTILINE,
)
_WORD = re.compile(r"\[(\d+)\] = \d+'b([01]+);")
_CASE = re.compile(r"\bcase[xz]?\b.*?\bendcase\b", re.DOTALL)
_LABEL = re.compile(r"(\d+)'b([01]+)\s*:")
_STRING_OF_BITS = re.compile(r'"[01]+"')
_LATCH = re.compile(r"latch(es)? inferred|inferr\w+ latch", re.IGNORECASE)
_LINE_WITHOUT_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitVerilog:
    """Verilog whose memories are filled from files.

    Args:
        text: the modules.
        files: contents by file name.
    """

    text: str
    files: dict[str, str]


def split_memories(text: str) -> SplitVerilog:
    """Move the contents of memories to files that ``$readmemb`` reads.

    One assignment per word, as GHDL writes them, takes Yosys minutes for deep memories; the contents stay the same.

    Args:
        text: Verilog as GHDL wrote it.
    """
    files: dict[str, str] = {}

    def move(match: re.Match[str]) -> str:
        words = {int(index): word for index, word in _WORD.findall(match["words"])}
        depth = int(match["top"]) + 1
        if sorted(words) != list(range(depth)):
            return match[0]
        name = f"memory_{len(files)}.mem"
        files[name] = "\n".join(words[k] for k in range(depth)) + "\n"
        head = match[0].split("\n", 1)[0]
        return f'{head}\n  initial $readmemb("{name}", {match["name"]});\n'

    return SplitVerilog(text=_MEMORY.sub(move, text), files=files)


def translation_defects(verilog: str, log: str) -> tuple[str, ...]:
    """Signs that VHDL was translated to Verilog with another meaning.

    GHDL 2.0 drops the default branch of selections silently; what remains is a ``case`` without default or a
    latch. It writes some wide constants as strings. (It also turns ``shift_right`` of signed values into a
    logical shift; only a simulation finds that.)

    Args:
        verilog: text GHDL wrote.
        log: what GHDL and Yosys said.

    >>> translation_defects("case (a) 1'b0: b = c; endcase", "")
    ("a case without default: case (a) 1'b0: b = c; endcase",)
    """
    code = _LINE_WITHOUT_COMMENT.sub("", verilog)
    cases = [
        f"a case without default: {' '.join(case.split())[:120]}" for case in _CASE.findall(code) if not _complete(case)
    ]
    latches = [f"a latch: {line.strip()}" for line in log.splitlines() if _LATCH.search(line)]
    strings = [f"a constant written as a string: {match[:40]}" for match in _STRING_OF_BITS.findall(code)]
    return (*cases, *latches, *strings)


def _complete(case: str) -> bool:
    """Whether a case statement has a default or names every value of its selector."""
    labels = _LABEL.findall(case)
    return bool(re.search(r"\bdefault\b", case)) or bool(
        labels and len({v for _, v in labels}) == 2 ** int(labels[0][0])
    )
