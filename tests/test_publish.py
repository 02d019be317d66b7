from __future__ import annotations

from pathlib import Path

import pytest

from lightning_neuro.errors import ConfigError
from lightning_neuro.publish import publishing


def publish(place: Path, text: str) -> None:
    with publishing(place) as folder:
        (folder / "report.json").write_text(text)


def test_the_folder_appears_whole(tmp_path: Path) -> None:
    publish(tmp_path / "a" / "b" / "fpga", "new")
    assert (tmp_path / "a" / "b" / "fpga" / "report.json").read_text() == "new"
    assert [p.name for p in (tmp_path / "a" / "b").iterdir()] == ["fpga"]


def test_an_earlier_artefact_is_replaced(tmp_path: Path) -> None:
    publish(tmp_path / "fpga", "old")
    (tmp_path / "fpga" / "extra").touch()
    publish(tmp_path / "fpga", "new")
    assert [p.name for p in (tmp_path / "fpga").iterdir()] == ["report.json"]
    assert (tmp_path / "fpga" / "report.json").read_text() == "new"


def test_an_error_leaves_nothing_and_keeps_the_old_artefact(tmp_path: Path) -> None:
    publish(tmp_path / "fpga", "old")
    for place in (tmp_path / "fpga", tmp_path / "x" / "y" / "fpga"):
        with pytest.raises(KeyboardInterrupt), publishing(place) as folder:
            (folder / "half").touch()
            raise KeyboardInterrupt
    assert [p.name for p in tmp_path.iterdir()] == ["fpga"]
    assert (tmp_path / "fpga" / "report.json").read_text() == "old"


def test_a_full_disk_is_explained(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="could not be written") as caught, publishing(tmp_path / "fpga"):
        raise OSError(28, "No space left on device", "rtl/layer.vhd")
    assert "No space left" in str(caught.value) and not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_is_not_an_artefact_is_never_replaced(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "fpga"
    if kind == "file":
        place.write_text("mine")
    else:
        place.mkdir()
        (place / "mine").touch()
    with pytest.raises(ConfigError, match="not an artefact"), publishing(place):
        pass
    assert place.exists()


def test_an_unwritable_place_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(ConfigError, match="could not be written"),
        publishing(tmp_path / "file" / "sub" / "fpga"),
    ):
        pass
