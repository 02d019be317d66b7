"""Every damaged file is one message with exit code 2; none hangs, fills the memory or leaves something behind."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from lightning_neuro.errors import NeuroError
from lightning_neuro.graph.nir_file import read_nir
from tests.depth import graded
from tests.graph.malformed import BASES, DT, cases, damaged, write_bases
from tests.test_deploy import run

MOST_MEMORY = 100 << 20  # bytes; a file that claims 10^9 values would take 8 GB


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bases")
    write_bases(folder)
    return folder


@pytest.mark.parametrize("base", BASES)
def test_the_undamaged_files_deploy(bases: Path, base: str) -> None:
    report, _ = run(bases / f"{base}.nir", dt_s=DT)
    assert report.ok


@pytest.mark.parametrize("base", graded(BASES, 1))
def test_every_damage_is_one_message(bases: Path, tmp_path: Path, base: str) -> None:
    mine = [case for case in cases(bases) if case[1] == base]
    wrong: list[str] = []
    for name, _, damage in mine:
        target = damaged(bases, tmp_path / "x.nir", base, damage)
        try:
            run(target, dt_s=DT)
        except NeuroError as error:
            parts = (error.what, error.where, error.why, error.next_command)
            if error.exit_code != 2 or not all(parts) or "\n" in error.what or len(str(error)) > 2000:
                wrong.append(f"{name}: {error!r}")
        except BaseException as error:
            wrong.append(f"{name}: {type(error).__name__}: {error}")
        else:
            wrong.append(f"{name}: accepted")
    assert not wrong, f"{len(wrong)} of {len(mine)}:\n" + "\n".join(wrong)
    assert [p.name for p in tmp_path.iterdir()] == ["x.nir"]


def test_claimed_sizes_are_checked_before_memory_is_taken(bases: Path, tmp_path: Path) -> None:
    claims = [case for case in cases(bases) if "10^9" in case[0] or "2^62" in case[0] or "1000000000" in case[0]]
    for _, base, damage in claims[::7]:
        target = damaged(bases, tmp_path / "x.nir", base, damage)
        tracemalloc.start()
        with pytest.raises(NeuroError):
            run(target, dt_s=DT)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < MOST_MEMORY


def test_there_are_more_than_two_hundred_cases(bases: Path) -> None:
    names = [name for name, _, _ in cases(bases)]
    assert len(names) == len(set(names)) > 200


def test_flipped_bytes_never_raise_anything_else(bases: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for _ in range(60):
        base = str(rng.choice(list(BASES)))
        body = bytearray((bases / f"{base}.nir").read_bytes())
        for place in rng.integers(0, len(body), 8):
            body[place] ^= 1 << int(rng.integers(8))
        (tmp_path / "x.nir").write_bytes(body)
        try:
            read_nir(tmp_path / "x.nir", dt_s=DT)
        except NeuroError:
            continue
