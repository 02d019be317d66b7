"""The proofs of a SpiNNaker artefact in order: float64 reference, NEST, the machine's arithmetic, a virtual board."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lightning_neuro.targets.spinnaker.emulation import EMULATOR
from lightning_neuro.targets.spinnaker.proof import Proof, Subject
from lightning_neuro.targets.spinnaker.prove_machine import prove_board, prove_emulator
from lightning_neuro.targets.spinnaker.prove_network import NEST, REFERENCE, prove_nest, prove_reference
from lightning_neuro.targets.spinnaker.virtual_board import VIRTUAL_BOARD

PROOFS: Sequence[tuple[str, str, Callable[[Subject], Proof]]] = (
    (REFERENCE, "the artefact's arrays in float64", prove_reference),
    (NEST, "NEST: running network.py", prove_nest),
    (EMULATOR, "SpiNNaker's arithmetic", prove_emulator),
    (VIRTUAL_BOARD, "sPyNNaker: mapping on a virtual board", prove_board),
)
