"""Completion: the words of every place, and a real bash that asks for them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lightning_neuro import cli
from lightning_neuro.commands.completion import SHELLS
from lightning_neuro.commands.words import words

BASH = shutil.which("bash")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "outputs").mkdir()
    for name in ("outputs/best.ckpt", "outputs/net.nir", "outputs/report.html", "other.txt"):
        (tmp_path / name).write_text("")
    return tmp_path


def of(line: str) -> list[str]:
    return words(line.split(" "))


def test_commands_come_first() -> None:
    assert of("lightning-neuro ") == [*cli.COMMANDS, "--help", "--version"]
    assert of("lightning-neuro de") == ["deploy", "demo"]
    assert of("lightning-neuro nonsense ") == []


def test_groups_and_their_options() -> None:
    assert "model=" in of("lightning-neuro train ") and "trainer.max_epochs=" in of("lightning-neuro train tr")
    assert of("lightning-neuro train model=li") == ["model=lif"]
    assert set(of("lightning-neuro train trainer=")) >= {"trainer=debug", "trainer=default"}
    assert of("lightning-neuro train logger=w") == ["logger=wandb"]


def test_keys_are_those_of_the_chosen_options() -> None:
    assert "model.tau_ratio=" in of("lightning-neuro train model=spike_time model.")
    assert "model.tau_ratio=" not in of("lightning-neuro train model=lif model.")
    assert "trainer.limit_train_batches=" in of("lightning-neuro train trainer=debug trainer.")
    assert "trainer.max_epochs=" in of("lightning-neuro train trainer=debug trainer.")  # of what debug builds on
    assert "target.lanes=" in of("deploy a.ckpt target=fpga target.")
    assert "target.lanes=" not in of("deploy a.ckpt target=spinnaker target.")
    assert not any("._" in key or key.startswith(("hydra", "defaults")) for key in of("lightning-neuro train "))


def test_a_key_is_offered_once() -> None:
    assert "seed=" in of("lightning-neuro train s") and "seed=" not in of("lightning-neuro train seed=1 s")


def test_values_that_are_true_or_false() -> None:
    assert of("deploy a.ckpt verify.strict=") == ["verify.strict=true", "verify.strict=false"]
    assert of("deploy a.ckpt verify.samples=") == []


def test_files_by_their_endings(folder: Path) -> None:
    assert of("deploy o") == ["outputs/"]
    assert of("deploy outputs/") == ["outputs/best.ckpt", "outputs/net.nir"]
    assert of("lightning-neuro search outputs/") == ["outputs/best.ckpt"]
    assert of("lightning-neuro train ckpt_path=outputs/b") == ["ckpt_path=outputs/best.ckpt"]
    assert of("deploy nowhere/") == []


def test_options_after_a_dash() -> None:
    assert of("lightning-neuro doctor --j") == ["--json"]
    assert "--multirun" in of("lightning-neuro train --")
    assert of("deploy --") == ["--help"]
    assert set(of("lightning-neuro completion ")) >= {"bash", "zsh", "fish"}


@pytest.mark.parametrize("shell", SHELLS)
def test_script_is_for_both_names(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["completion", shell])
    script = capsys.readouterr().out
    assert "lightning-neuro completion --words" in script and "deploy" in script


@pytest.mark.parametrize("arguments", [["tcsh"], ["bsh"], [], ["bash", "zsh"]])
def test_another_shell_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["completion", *arguments])
    assert ended.value.code == 2 and "bash, zsh and fish" in capsys.readouterr().err


LINES = {
    "lightning-neuro dep": ["deploy"],
    "lightning-neuro train model=spike_time_b": ["spike_time_brainscales"],  # bash has the part behind the "="
    "lightning-neuro train trainer.max_ep": ["trainer.max_epochs="],
    "deploy outputs/be": ["outputs/best.ckpt"],
    "deploy outputs/best.ckpt target=f": ["fpga"],
}
PRESS_TAB = """
source <(lightning-neuro completion bash)
compopt() { :; }  # bash knows it while a Tab is pressed only
while IFS= read -r line; do
    COMP_LINE="$line" COMP_POINT=${#line} _lightning_neuro
    printf '%s|' "${COMPREPLY[@]}"; echo
done
complete -p lightning-neuro deploy
lightning-neuro modules
"""


@pytest.mark.skipif(BASH is None, reason="bash is not installed")
def test_real_bash_completes_without_torch(folder: Path) -> None:
    bin_ = folder / ".bin"
    bin_.mkdir()
    program = bin_ / "lightning-neuro"
    # The console script, which also tells which heavy modules a completion would have loaded.
    program.write_text(
        f"#!{sys.executable}\nimport sys\nfrom lightning_neuro import cli\n"
        "cli.main(['completion', '--words', 'deploy', 'a.ckpt', 't'] if sys.argv[1] == 'modules' else None)\n"
        "if sys.argv[1] == 'modules': print('loaded', {'torch', 'hydra', 'numpy', 'rich'} & set(sys.modules))\n"
    )
    program.chmod(0o755)
    root = str(Path(cli.__file__).parent.parent)
    done = subprocess.run(
        [str(BASH), "--norc", "-c", PRESS_TAB],
        cwd=folder,
        env={"PATH": f"{bin_}:/usr/bin:/bin", "PYTHONPATH": root},
        input="".join(f"{line}\n" for line in LINES),
        capture_output=True,
        text=True,
    )
    assert done.stderr == "" and done.returncode == 0
    *offered, first, second, keys, loaded = done.stdout.splitlines()[: len(LINES) + 2] + done.stdout.splitlines()[-2:]
    assert [line.strip("|").split("|") for line in offered] == list(LINES.values())
    assert first.endswith("lightning-neuro") and second.endswith("deploy") and keys.startswith("t")
    assert loaded == "loaded set()"
