import os
import re
import shutil
import subprocess
import sys
import zipfile
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest
import yaml

tomllib = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "lightning_neuro"
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LISTED = set(PYPROJECT["tool"]["setuptools"]["packages"])
DATA_SUFFIXES = {".j2", ".json", ".sh", ".tcl", ".v", ".vhd", ".yaml"}


@cache
def tracked() -> tuple[Path, ...]:
    """Files git knows, or everything that would be in a release where there is no git, as in an image."""
    if shutil.which("git") and (ROOT / ".git").exists():
        listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
        return tuple(path for name in listing.decode().split("\0") if name and (path := ROOT / name).exists())
    hidden = {".venv", ".git", "outputs", "__pycache__", "build", "dist"}
    return tuple(path for path in ROOT.rglob("*") if path.is_file() and not hidden & set(path.parts))


def texts(*suffixes: str) -> list[tuple[Path, str]]:
    files = [path for path in tracked() if not path.is_symlink()]
    files = [path for path in files if not suffixes or path.suffix in suffixes]
    return [(path, path.read_text(encoding="utf-8", errors="ignore")) for path in files if path.is_file()]


def packages_on_disk() -> set[str]:
    folders = {Path(path).parent for path, _ in texts(".py") if PACKAGE in path.parents}
    names = {".".join(folder.relative_to(ROOT).parts) for folder in folders}
    return names | {"lightning_neuro.callbacks", "lightning_neuro.conf"}


def test_every_package_on_disk_is_listed_and_the_other_way_round() -> None:
    assert packages_on_disk() == LISTED


def test_every_package_has_a_docstring_file() -> None:
    folders = [PACKAGE.joinpath(*name.split(".")[1:]) for name in LISTED]
    assert [str(folder) for folder in folders if not (folder / "__init__.py").is_file()] == []


@pytest.mark.parametrize("name", ["callbacks", "conf"])
def test_link_inside_the_package_is_committed_and_relative(name: str) -> None:
    link = PACKAGE / name
    assert link.is_symlink()
    assert os.readlink(link) == f"../{name}"
    listing = subprocess.run(
        ["git", "ls-files", "--stage", f"lightning_neuro/{name}"], cwd=ROOT, capture_output=True, text=True
    )
    if listing.returncode == 0:
        assert listing.stdout.startswith("120000 ")


def test_callbacks_at_top_level_refuse_a_second_identity() -> None:
    run = subprocess.run(
        [sys.executable, "-c", "import callbacks"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode != 0
    assert "ImportError" in run.stderr and "lightning_neuro.callbacks" in run.stderr


@pytest.fixture(scope="module")
def wheel_contents(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Build the wheel from a copy: setuptools leaves a build folder beside the sources."""
    copy = tmp_path_factory.mktemp("source") / "project"
    for path in tracked():
        destination = copy / path.relative_to(ROOT)
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, destination, follow_symlinks=False)
    out = tmp_path_factory.mktemp("wheel")
    build = "from setuptools.build_meta import build_wheel; import sys; build_wheel(sys.argv[1])"
    run = subprocess.run([sys.executable, "-c", build, str(out)], cwd=copy, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    (wheel,) = out.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_wheel_holds_every_source_and_data_file(wheel_contents: set[str]) -> None:
    expected = {"lightning_neuro/py.typed"}
    for path in tracked():
        relative = path.relative_to(ROOT)
        if path.is_symlink() or path.suffix not in DATA_SUFFIXES | {".py"}:
            continue
        if relative.parts[0] == "lightning_neuro":
            expected.add(relative.as_posix())
        elif relative.parts[0] in {"callbacks", "conf"}:
            expected.add((Path("lightning_neuro") / relative).as_posix())
    assert expected - wheel_contents == set()
    assert any(name.endswith(".yaml") for name in wheel_contents)
    assert any(name.endswith(".vhd") for name in wheel_contents)


def test_wheel_holds_nothing_but_the_package(wheel_contents: set[str]) -> None:
    assert {name.split("/")[0].split("-")[0] for name in wheel_contents} == {"lightning_neuro"}


def test_version_is_said_once_and_twice_the_same() -> None:
    source = (PACKAGE / "__init__.py").read_text(encoding="utf-8")
    assert f'__version__ = "{PYPROJECT["project"]["version"]}"' in source


@pytest.mark.parametrize("entry", PYPROJECT["project"]["scripts"].values())
def test_console_script_names_a_function_that_exists(entry: str) -> None:
    module, function = entry.split(":")
    source = PACKAGE.joinpath(*module.split(".")[1:]).with_suffix(".py").read_text(encoding="utf-8")
    assert re.search(rf"^def {function}\(", source, re.MULTILINE)


def test_every_dependency_is_pinned() -> None:
    project = PYPROJECT["project"]
    extras = project["optional-dependencies"].values()
    wanted = [*project["dependencies"], *(line for extra in extras for line in extra)]
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {normal(line.split("==")[0]) for line in lines if "==" in line}
    assert {normal(re.split(r"[<>=\[; ]", line)[0]) for line in wanted} - pinned == {"lightning-neuro"}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_no_tracked_file_knows_this_machine_or_a_package_registry() -> None:
    registries = ("pypi" + ".org", "files.python" + "hosted", "--index" + "-url", "find" + "-links")
    machine = re.compile(r"(?<![\w.$}/-])/(?:home|root|work|Users|tmp/w)/\w")
    found = [
        f"{path.relative_to(ROOT)}: {match}"
        for path, text in texts()
        if path != Path(__file__)
        for match in [*(word for word in registries if word in text), *machine.findall(text)]
    ]
    assert found == []


README = re.sub(r"<!--.*?-->", "", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
COMMANDS = "\n".join(re.findall(r"```bash\n(.*?)```", README, re.DOTALL))


def test_commands_in_the_readme_exist() -> None:
    goals = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {"demo", "test"} <= set(re.findall(r"\bmake ([a-z]+)", COMMANDS)) <= goals
    for script in re.findall(r"python ([\w/]+\.py)", COMMANDS):
        assert (ROOT / script).is_file(), script
    for group, value in re.findall(r"\b(model|data|target|trainer|logger)=(\w+)", COMMANDS):
        assert (ROOT / "conf" / group / f"{value}.yaml").is_file(), f"{group}={value}"


def test_keys_in_the_readme_exist() -> None:
    homes = {
        "model": ["lif", "nir", "rate"],
        "data": ["digits", "mnist"],
        "trainer": ["default"],
        "target": ["fpga", "brainscales"],
        "quantize": ["stored"],
    }
    deploy = yaml.safe_load((ROOT / "conf/deploy.yaml").read_text(encoding="utf-8"))
    keys = re.findall(r"\b(model|data|trainer|target|verify|quantize)\.(\w+)=", COMMANDS)
    assert keys
    for group, key in keys:
        files = [ROOT / "conf" / group / f"{name}.yaml" for name in homes.get(group, [])]
        known = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in files] or [deploy[group]]
        assert any(key in choices.get(group, choices) for choices in known), f"{group}.{key}"


def test_relative_links_in_the_readme_lead_somewhere() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    assert links and [link for link in links if not (ROOT / link).exists()] == []
