"""The versions that the test suite ran with, those of ``constraints.txt``; a test holds the two together."""

from __future__ import annotations

from collections.abc import Mapping

PYTHON = (3, 11)
OLDEST_PYTHON = (3, 10)

PACKAGES: Mapping[str, str] = {
    "torch": "2.15.0",
    "pytorch-lightning": "2.6.6",
    "torchmetrics": "1.9.0",
    "hydra-core": "1.3.8",
    "jinja2": "3.1.6",
    "matplotlib": "3.11.2",
    "nir": "1.0.8",
    "nirtorch": "2.6",
    "norse": "1.1.0",
    "numba": "0.68.1",
    "numpy": "2.4.6",
    "pynn": "0.13.0",
    "pyyaml": "6.0.3",
    "rich": "15.0.0",
    "scikit-learn": "1.9.1",
    "scipy": "1.17.1",
    "snntorch": "1.0.0",
    "threadpoolctl": "3.8.0",
}
"""Needed by every command, by the name of the package index."""

OPTIONAL_PACKAGES: Mapping[str, str] = {
    "nest-simulator": "3.10.0",
    "sPyNNaker": "1!7.4.1",
    "optuna": "5.0.0",
    "hydra-joblib-launcher": "1.2.0",
    "hydra-submitit-launcher": "1.2.0",
    "tensorboard": "2.21.0",
    "wandb": "0.31.0",
}
"""Needed by the extras of ``lightning_neuro.extras``."""

PROGRAMS: Mapping[str, str] = {"ghdl": "2.0.0", "yosys": "0.23", "iverilog": "11.0", "vvp": "11.0"}
"""Of Debian 12."""
