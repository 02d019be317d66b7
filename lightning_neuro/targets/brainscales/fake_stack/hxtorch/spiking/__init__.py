"""Strict stand-in for hxtorch's spiking modules: on the "chip" the emulator answers, in mock mode forward Euler.

Only what the artefact's script uses. hxtorch clips and rounds weights in silence; here whole weights of at most 63 LSB
are demanded. Routing is not repeated here: the rules of the placement are what checks it.
"""

from __future__ import annotations

from . import morphology
from .modules import LI, LIF, Experiment, LIFObservables, MixedHXModelParameter, Synapse, run

__all__ = ["LI", "LIF", "Experiment", "LIFObservables", "MixedHXModelParameter", "Synapse", "morphology", "run"]
