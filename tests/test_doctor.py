"""The doctor, on machines made of mock programs: what it finds, what it advises, how it ends."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from lightning_neuro import cli
from lightning_neuro.doctor import examine as whole
from lightning_neuro.doctor import python as packages
from lightning_neuro.doctor import torch_stack as stack
from lightning_neuro.doctor.finding import Finding, Status
from lightning_neuro.doctor.folder import output_folder
from lightning_neuro.doctor.programs import PROGRAMS, look, programs
from lightning_neuro.doctor.python import interpreter
from lightning_neuro.doctor.show import remedies, verdict
from lightning_neuro.doctor.tested import OPTIONAL_PACKAGES, PACKAGES
from lightning_neuro.doctor.tested import PROGRAMS as TESTED_PROGRAMS
from lightning_neuro.extras import OPTIONAL

ROOT = Path(__file__).parent.parent
SAYS = {
    "ghdl": "GHDL 2.0.0 (Debian 2.0.0+dfsg-6.2+b2) [Dunoon edition]",
    "yosys": "Yosys 0.23 (git sha1 7ce5011c24b)",
    "iverilog": "Icarus Verilog version 11.0 (stable) ()",
}
WELL: stack.Said = {
    "torch": {"version": "2.15.0"},
    "torchvision": {"absent": "torchvision"},
    "norse.torch": {"version": ""},
    "gpu": {"name": "", "built": ""},
}

Speak = Callable[[str, str], Path]


@pytest.fixture
def speak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Speak:
    """Install mock programs in a folder that is the whole PATH: each prints one text and does nothing else."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    for name in PROGRAMS:
        monkeypatch.delenv(f"LIGHTNING_NEURO_{name.upper()}", raising=False)

    def install(name: str, text: str) -> Path:
        path = folder / name
        path.write_text(f"#!/bin/sh\ncat <<'THE_END'\n{text}\nTHE_END\n".replace("cat", "/bin/cat"))
        path.chmod(0o755)
        return path

    return install


@pytest.fixture
def machine(speak: Speak, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with all programs but vvp, whose Python imports torch without being asked to take seconds."""
    for name, text in SAYS.items():
        speak(name, text)
    python = speak("python-mock", json.dumps(WELL))
    monkeypatch.setattr(whole, "torch_stack", lambda: stack.torch_stack(str(python)))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as ended:
        cli.main(["doctor", *arguments])
    return int(ended.value.code or 0), capsys.readouterr().out


def test_json_names_each_program_and_what_a_missing_one_costs(
    machine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out = run(capsys, "--json")
    said = json.loads(out)
    by_name = {finding["name"]: finding for finding in said["findings"]}
    assert code == 0 and said["ok"] is True
    assert (by_name["yosys"]["status"], by_name["yosys"]["found"]) == ("ok", "0.23")
    assert by_name["ghdl"]["status"] == "note" and "do not trust it" in by_name["ghdl"]["detail"]
    assert by_name["vvp"] == {
        "group": "programs",
        "name": "vvp",
        "status": "absent",
        "found": "",
        "detail": "would enable running what iverilog compiled (target=fpga)",
        "remedy": "apt-get install iverilog",
    }
    assert by_name["import torchvision"]["status"] == "absent"
    assert list(by_name)[:2] == ["lightning-neuro", "python"]


def test_table_shows_the_same_with_commands_to_copy(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = run(capsys)
    assert code == 0
    assert re.search(r"^absent +vvp ", out, re.MULTILINE) and re.search(r"^ok +yosys +0\.23", out, re.MULTILINE)
    assert re.search(r"^apt-get install iverilog    # vvp$", out, re.MULTILINE)
    assert "everything needed works; " in out.splitlines()[-1]
    assert list(machine.glob(".lightning*")) == []  # the file it tried to write with is gone


def test_a_broken_import_ends_with_code_1(
    machine: Path, speak: Speak, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    python = speak("python-mock", json.dumps({**WELL, "snntorch": {"absent": "snntorch"}}))
    monkeypatch.setattr(whole, "torch_stack", lambda: stack.torch_stack(str(python)))
    code, out = run(capsys)
    assert code == 1
    assert "broken: import snntorch; the commands above help" in out.splitlines()[-1]
    assert "pip install lightning-neuro    # import snntorch" in out


def test_unknown_argument_is_refused_in_one_message(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["doctor", "--jsn"])
    assert ended.value.code == 2 and "'--jsn'" in capsys.readouterr().err


@pytest.mark.parametrize("body", ["exit 1", "kill -9 $$"])
def test_program_that_fails_is_broken_and_says_what_is_lost(body: str, speak: Speak) -> None:
    speak("yosys", "").write_text(f"#!/bin/sh\n{body}\n")
    found = look("yosys", PROGRAMS["yosys"])
    assert found.status is Status.BROKEN and "without it: no counting the cells" in found.detail
    assert found.remedy


def test_variable_that_names_nothing_is_broken(speak: Speak, monkeypatch: pytest.MonkeyPatch) -> None:
    speak("ghdl", SAYS["ghdl"])
    monkeypatch.setenv("LIGHTNING_NEURO_GHDL", "/nowhere/ghdl")
    found = programs()[0]
    assert found.status is Status.BROKEN and "unset LIGHTNING_NEURO_GHDL" in found.remedy


def test_program_of_another_version_is_a_note(speak: Speak) -> None:
    speak("yosys", "Yosys 0.50 (git sha1 abc)")
    found = look("yosys", PROGRAMS["yosys"])
    assert found.status is Status.NOTE and "tested with 0.23" in found.detail


def test_torch_and_torchvision_of_two_builds_are_named_as_the_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clash = 'raise RuntimeError("operator torchvision::nms does not exist")'
    sources = {"torch": "__version__ = '2.15.0+cpu'", "torchvision": clash, "norse/torch": "import torchvision"}
    for name in (*sources, "pytorch_lightning", "torchmetrics", "norse/__init__", "snntorch"):
        file = tmp_path / f"{name}.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(sources.get(name, ""))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = {finding.name: finding for finding in stack.torch_stack()}
    assert found["import torch"].status is Status.GOOD and found["import torch"].found == "2.15.0+cpu"
    for name in ("import torchvision", "import norse.torch"):
        assert found[name].status is Status.BROKEN and "not from one build" in found[name].detail
        assert "pip install --upgrade --force-reinstall torch torchvision" in found[name].remedy
    assert found["GPU"].status is Status.ABSENT


def test_interpreter_that_dies_while_importing_is_broken(speak: Speak) -> None:
    python = speak("python-mock", "")
    python.write_text("#!/bin/sh\necho 'Illegal instruction' >&2\nexit 132\n")
    (found,) = stack.torch_stack(str(python))
    assert found.status is Status.BROKEN and "Illegal instruction" in found.detail


def test_gpu_by_its_name() -> None:
    assert stack.gpu({"name": "NVIDIA H100"}).found == "NVIDIA H100"


@pytest.mark.parametrize(
    ("version", "status"),
    [((3, 9, 1), Status.BROKEN), ((3, 10, 0), Status.NOTE), ((3, 11, 9), Status.GOOD), ((3, 15, 0), Status.NOTE)],
)
def test_python_too_old_is_broken_and_an_untested_one_a_note(version: tuple[int, int, int], status: Status) -> None:
    assert interpreter(version).status is status


def test_packages_missing_and_of_another_version(monkeypatch: pytest.MonkeyPatch) -> None:
    there = {"torch": f"{PACKAGES['torch']}+cpu", "numpy": "1.26.0"}
    monkeypatch.setattr(packages, "installed_version", there.get)
    found = {finding.name: finding for finding in packages.required_packages()}
    assert found["torch"].status is Status.GOOD
    assert found["numpy"].status is Status.NOTE and found["numpy"].detail == f"tested with {PACKAGES['numpy']}"
    assert found["scipy"].status is Status.BROKEN
    assert found["scipy"].remedy == f"pip install 'scipy=={PACKAGES['scipy']}'"
    missing = {finding.name: finding for finding in packages.optional_packages()}
    assert missing["optuna"].status is Status.ABSENT
    assert missing["optuna"].remedy == "pip install 'lightning-neuro[search]'"


def test_output_folder_that_is_a_file_is_broken(tmp_path: Path) -> None:
    (tmp_path / "outputs").write_text("")
    assert output_folder(tmp_path / "outputs").status is Status.BROKEN


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_folder_without_permission_is_broken(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    found = output_folder(tmp_path / "outputs")
    tmp_path.chmod(0o700)
    assert found.status is Status.BROKEN and "Permission denied" in found.detail


def test_remedies_come_once_and_the_broken_first() -> None:
    absent = Finding(group="g", name="a", status=Status.ABSENT, remedy="get x")
    broken = Finding(group="g", name="b", status=Status.BROKEN, remedy="mend")
    assert remedies([absent, broken, dataclasses.replace(absent, name="c")]) == ["mend    # b", "get x    # a, c"]
    assert verdict([absent, broken]).startswith("broken: b")


def test_tested_versions_are_the_pinned_ones() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = {normal(name): version.split()[0] for name, _, version in (ln.partition("==") for ln in lines) if version}
    for name, version in {**PACKAGES, **OPTIONAL_PACKAGES}.items():
        assert pins[normal(name)] == version, name


def test_every_optional_package_and_program_is_looked_at() -> None:
    assert set(OPTIONAL_PACKAGES) == set(OPTIONAL)
    assert set(TESTED_PROGRAMS) == set(PROGRAMS)


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
