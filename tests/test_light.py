"""Help, version and import answer at once: nothing that takes seconds is loaded for them."""

from __future__ import annotations

import json
import subprocess
import sys

ASK = """
import contextlib, io, json, sys

HEAVY = ("torch", "pytorch_lightning", "matplotlib")
loaded = {}

def ask(title, action):
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.suppress(SystemExit):
        action()
    loaded[title] = [len(out.getvalue()) > 10, [name for name in HEAVY if name in sys.modules]]

ask("import", lambda: print(__import__("lightning_neuro").__name__))
from lightning_neuro import cli

ask("deploy --help", lambda: cli.deploy_main(["--help"]))
ask("--help", lambda: cli.main(["--help"]))
ask("--version", lambda: cli.main(["--version"]))
for command in ("train", "doctor", "search", "export", "demo"):
    ask(f"{command} --help", lambda: cli.main([command, "--help"]))
print(json.dumps(loaded))
"""


def test_help_and_import_load_nothing_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=True)
    loaded = json.loads(done.stdout)
    assert len(loaded) == 9
    assert loaded == {title: [True, []] for title in loaded}
