"""Which words may come next: commands, options, files, keys of ``conf/`` and the options of its groups.

The YAML files are read as they lie there, without Hydra: a Tab has to answer at once.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from lightning_neuro.commands.command import Command

PATH_KEYS = ("out", "ckpt_path", "start_from", "data.root", "model.path")  # values that are files or folders
TRUTH = ("true", "false")


def words(typed: Sequence[str]) -> list[str]:
    """Words that begin with the last typed one.

    Args:
        typed: what stands before the cursor: the program, its arguments, and last the word at the cursor, which may be
            empty.
    """
    from lightning_neuro.cli import COMMANDS

    if len(typed) < 2:
        return []
    program, *arguments = typed
    if Path(program).name != "deploy":
        if len(arguments) == 1:
            return _beginning(arguments[0], (*COMMANDS, "--help", "--version"))
        name, *arguments = arguments
    else:
        name = "deploy"
    command = COMMANDS.get(name)
    return _of_command(command, arguments) if command else []


def _of_command(command: Command, arguments: Sequence[str]) -> list[str]:
    *before, word = arguments
    key, equals, value = word.partition("=")
    if equals:
        return [f"{key}={choice}" for choice in _values(command, key, value, before)]
    if command.files and not before:
        return [*_paths(word, command.files), *(_beginning(word, command.words) if word else [])]
    keys = [f"{key}=" for key in _keys(command, before)]
    return _beginning(word, [*(command.words if word.startswith("-") or not keys else ()), *keys])


def _beginning(word: str, known: Iterable[str]) -> list[str]:
    return [choice for choice in known if choice.startswith(word)]


def _values(command: Command, key: str, value: str, before: Sequence[str]) -> list[str]:
    if command.config is None:
        return _paths(value, ())
    group = key.lstrip("+~")
    options = _options(group)
    if options:
        return _beginning(value, options)
    if group in PATH_KEYS:
        return _paths(value, (".ckpt", ".nir"))
    present = _flat(command.config, before).get(group, ...)
    return _beginning(value, TRUTH) if isinstance(present, bool) else []


def _keys(command: Command, before: Sequence[str]) -> list[str]:
    """Keys that were not given yet, groups first."""
    if command.config is None:
        return []
    groups = dict.fromkeys(group for group, _ in _groups(command.config, before))
    given = {word.partition("=")[0] for word in before}
    keys = (*groups, *_flat(command.config, before))
    return [key for key in dict.fromkeys(keys) if key not in given]


def _flat(config: str, before: Sequence[str]) -> dict[str, Any]:
    """Values by their dotted key, of the main file and of the options that are chosen."""
    found = _flattened(_yaml(f"{config}.yaml"), "")
    for group, option in _groups(config, before):
        if option in _options(group):
            found |= _flattened(_chosen(group, option), "" if _is_global(group, option) else f"{group}.")
    return found


def _is_global(group: str, option: str) -> bool:
    """Whether an option's file holds whole keys, because it also changes what lies outside its group."""
    return _text(f"{group}/{option}.yaml").startswith("# @package _global_")


def _chosen(group: str, option: str) -> Mapping[str, Any]:
    """An option's file with those of its own group that it builds on."""
    content = _yaml(f"{group}/{option}.yaml")
    below: dict[str, Any] = {}
    for entry in content.get("defaults", ()):
        if isinstance(entry, str) and entry in _options(group) and entry != option:
            below |= _chosen(group, entry)
    return {**below, **content}


def _groups(config: str, before: Sequence[str]) -> list[tuple[str, str]]:
    """Groups of a main file with the option that holds: of the command line, else of its defaults list."""
    given = dict(word.split("=", 1) for word in before if "=" in word)
    entries = [entry for entry in _yaml(f"{config}.yaml").get("defaults", ()) if isinstance(entry, Mapping)]
    plain = [(group, str(option)) for entry in entries for group, option in entry.items() if " " not in group]
    return [(group, given.get(group, option)) for group, option in plain]


def _flattened(node: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in node.items():
        if key in ("defaults", "hydra") or str(key).startswith("_"):
            continue
        if isinstance(value, Mapping):
            found |= _flattened(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


@cache
def _options(group: str) -> tuple[str, ...]:
    folder = files("lightning_neuro.conf").joinpath(*group.split("/")) if group else None
    if folder is None or not folder.is_dir():
        return ()
    return tuple(sorted(file.name[:-5] for file in folder.iterdir() if file.name.endswith(".yaml")))


@cache
def _yaml(name: str) -> Mapping[str, Any]:
    import yaml

    loaded = yaml.safe_load(_text(name))
    return loaded if isinstance(loaded, Mapping) else {}


def _text(name: str) -> str:
    return files("lightning_neuro.conf").joinpath(*name.split("/")).read_text(encoding="utf-8")


def _paths(word: str, endings: Sequence[str]) -> list[str]:
    """Folders and files with one of the endings (any, where there are none) that begin with what was typed."""
    folder, _, begun = word.rpartition("/")
    shown = f"{folder}/" if "/" in word else ""
    try:
        entries = sorted(os.scandir(os.path.expanduser(shown) or "."), key=lambda entry: entry.name)
    except OSError:
        return []
    found = []
    for entry in entries:
        if not entry.name.startswith(begun) or (entry.name.startswith(".") and not begun.startswith(".")):
            continue
        if entry.is_dir():
            found.append(f"{shown}{entry.name}/")
        elif not endings or entry.name.endswith(tuple(endings)):
            found.append(f"{shown}{entry.name}")
    return found
