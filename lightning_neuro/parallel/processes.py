"""Starts the further processes of a run on this machine: the same job, whatever started the first one."""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.utils import get_original_cwd
from pytorch_lightning.strategies.launchers.subprocess_script import _SubprocessScriptLauncher
from typing_extensions import override

GRACE = 10.0  # seconds that the others get to end after the first


class JobProcesses(_SubprocessScriptLauncher):
    """Lightning's launcher of scripts, for jobs of Hydra too that are part of a sweep or run in another process.

    Lightning repeats the command line, which for a sweep starts the whole sweep again, and which belongs to somebody
    else where joblib or submitit run the job. Here the further processes get the job's own overrides and its folder.
    Outside Hydra everything is as Lightning does it.
    """

    @override
    def launch(self, function: Callable, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().launch(function, *args, **kwargs)
        except BaseException:
            self.kill(signal.SIGKILL)  # they would wait for the first one for ever
            raise

    @override
    def _call_children_scripts(self) -> None:
        if self.procs:
            return  # fit has started them, test comes after it
        if not HydraConfig.initialized():
            super()._call_children_scripts()
            return
        environment = self.cluster_environment
        shared = {
            "MASTER_ADDR": environment.main_address,
            "MASTER_PORT": str(environment.main_port),
            "NODE_RANK": str(environment.node_rank()),
            "LOCAL_RANK": str(environment.local_rank()),
            "WORLD_SIZE": str(self.num_processes * self.num_nodes),
        }
        os.environ.update(shared)
        for local_rank in range(1, self.num_processes):
            own = {**os.environ, "LOCAL_RANK": str(local_rank), "PYTHONPATH": _python_path()}
            self.procs.append(subprocess.Popen(job_command(), env=own, cwd=get_original_cwd()))
        atexit.register(self._end)

    def _end(self) -> None:
        for process in self.procs:
            try:
                process.wait(GRACE)
            except subprocess.TimeoutExpired:
                process.kill()


def job_command() -> list[str]:
    """Return the command that runs the present job of Hydra alone, in its folder."""
    job = HydraConfig.get()
    folder = str(job.runtime.output_dir).replace("'", "\\'")
    return [sys.executable, "-m", "lightning_neuro.train", *job.overrides.task, f"hydra.run.dir='{folder}'"]


def _python_path() -> str:
    """This package is found by the further processes as it was by the first."""
    here = str(Path(__file__).parents[2])
    return os.pathsep.join([here, *filter(None, [os.environ.get("PYTHONPATH")])])
