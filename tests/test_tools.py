import os
import stat
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from lightning_neuro import tools
from lightning_neuro.errors import ToolError
from lightning_neuro.tools import environment_variable, find_tool, require_tool, run_tool

MOCKS = Path(__file__).parent / "mock_commands"


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False


def wait_until_gone(pids: list[int]) -> bool:
    deadline = time.monotonic() + 10
    while any(alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not any(alive(pid) for pid in pids)


def test_tool_is_found_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(MOCKS))
    assert find_tool("records") == str(MOCKS / "records")


def test_environment_variable_comes_before_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(MOCKS))
    monkeypatch.setenv("LIGHTNING_NEURO_RECORDS", str(MOCKS / "fails"))
    assert require_tool("records") == str(MOCKS / "fails")


def test_environment_variable_may_name_a_program_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(MOCKS))
    monkeypatch.setenv("LIGHTNING_NEURO_GHDL", "records")
    assert require_tool("ghdl") == str(MOCKS / "records")


def test_environment_variable_that_names_nothing_is_an_error_not_a_fallback(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(MOCKS))
    monkeypatch.setenv("LIGHTNING_NEURO_RECORDS", str(tmp_path / "absent"))
    with pytest.raises(ToolError, match="absent") as caught:
        find_tool("records")
    assert "unset LIGHTNING_NEURO_RECORDS" in caught.value.next_command


def test_file_that_is_not_executable_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tool = tmp_path / "ghdl"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(stat.S_IRUSR | stat.S_IWUSR)
    monkeypatch.setenv("LIGHTNING_NEURO_GHDL", str(tool))
    with pytest.raises(ToolError, match="does not name an executable file"):
        find_tool("ghdl")


def test_absent_tool_is_none_when_optional(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_tool("ghdl") is None


def test_absent_required_tool_says_what_where_variable_and_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError) as caught:
        require_tool("ghdl")
    message = str(caught.value)
    for part in ("'ghdl'", str(tmp_path), "LIGHTNING_NEURO_GHDL", "apt-get install ghdl-mcode"):
        assert part in message


def test_variable_name_keeps_letters_and_digits_only() -> None:
    assert environment_variable("nextpnr-ecp5") == "LIGHTNING_NEURO_NEXTPNR_ECP5"


def test_arguments_reach_the_program_untouched_by_a_shell(tmp_path: Path) -> None:
    arguments = ["a b", "$HOME", "*.vhd", "; rm x", "epoch=49-step=10.ckpt"]
    run = run_tool([MOCKS / "records", *arguments], cwd=tmp_path, timeout_s=30)
    assert (tmp_path / "records.cmd").read_text().splitlines() == arguments
    assert (run.rc, run.stdout, run.stderr) == (0, "told: nothing\n", "")
    assert run.seconds > 0


def test_extra_environment_is_added_to_the_present_one(tmp_path: Path) -> None:
    run = run_tool([MOCKS / "records"], cwd=tmp_path, timeout_s=30, env={"MOCK_WORD": "hello"})
    assert run.stdout == "told: hello\n"


def test_failure_keeps_status_stderr_and_the_command_to_repeat(tmp_path: Path) -> None:
    with pytest.raises(ToolError) as caught:
        run_tool([MOCKS / "fails", "two words"], cwd=tmp_path, timeout_s=30)
    message = str(caught.value)
    assert "fails failed with exit status 3" in message
    assert 'no declaration for "membrane"' in message
    assert f"cd {tmp_path} && {MOCKS / 'fails'} 'two words'" in message


def test_failure_is_returned_when_the_caller_wants_to_judge(tmp_path: Path) -> None:
    run = run_tool([MOCKS / "fails"], cwd=tmp_path, timeout_s=30, check=False)
    assert run.rc == 3
    assert "membrane" in run.stderr


def test_long_output_is_cut_in_the_middle(tmp_path: Path) -> None:
    with pytest.raises(ToolError) as caught:
        run_tool([MOCKS / "chatters"], cwd=tmp_path, timeout_s=30)
    message = str(caught.value)
    assert "line 1\n" in message and "line 1000\n" in message and "line 500\n" not in message


def test_signal_is_named(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="ended by SIGKILL"):
        run_tool([MOCKS / "crashes"], cwd=tmp_path, timeout_s=30)


def test_program_that_cannot_start_is_a_tool_error(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="could not be started"):
        run_tool([tmp_path / "absent"], cwd=tmp_path, timeout_s=30)


def test_timeout_ends_the_program_and_its_children(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"longer than 0\.5 s") as caught:
        run_tool([MOCKS / "hangs"], cwd=tmp_path, timeout_s=0.5)
    assert "began" in str(caught.value)
    assert wait_until_gone([int(pid) for pid in (tmp_path / "pids").read_text().split()])


def test_interrupt_ends_the_program_and_its_children(tmp_path: Path) -> None:
    def interrupt_when_running() -> None:
        while not (tmp_path / "pids").exists():
            time.sleep(0.01)
        os.kill(os.getpid(), 2)

    thread = threading.Thread(target=interrupt_when_running, daemon=True)
    with pytest.raises(KeyboardInterrupt):
        thread.start()
        run_tool([MOCKS / "hangs"], cwd=tmp_path, timeout_s=30)
    thread.join()
    assert wait_until_gone([int(pid) for pid in (tmp_path / "pids").read_text().split()])


def test_interrupt_while_the_program_starts_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = subprocess.Popen

    def interrupted(*args: Any, **kwargs: Any) -> subprocess.Popen[str]:
        process = started(*args, **kwargs)
        while not (tmp_path / "pids").exists():
            time.sleep(0.01)
        os.kill(os.getpid(), 2)
        return process

    monkeypatch.setattr(tools.subprocess, "Popen", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_tool([MOCKS / "hangs"], cwd=tmp_path, timeout_s=30)
    assert wait_until_gone([int(pid) for pid in (tmp_path / "pids").read_text().split()])
