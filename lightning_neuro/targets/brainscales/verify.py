"""The proofs of a BrainScaleS-2 artefact in order: on paper, by the stand-ins, by emulation."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lightning_neuro.targets.brainscales import prove_emulated, prove_files, prove_scripts
from lightning_neuro.targets.brainscales.subject import Subject
from lightning_neuro.targets.proofs import Proof

PROOFS: Sequence[tuple[str, str, Callable[[Subject], Proof]]] = (
    (prove_files.CONSTRAINTS, "rules of the chip", prove_files.prove_constraints),
    (prove_files.PLACED, "placement, checked from scratch", prove_files.prove_placement),
    (prove_files.DRY_RUN, "scripts with numpy alone", prove_files.prove_dry_run),
    (prove_files.READ_BACK, "network.nir read back", prove_files.prove_nir),
    (prove_emulated.EXACT, "ideal chip against the golden model", prove_emulated.prove_exact),
    (prove_scripts.PYNN_SCRIPT, "run_pynn.py on the stand-in", prove_scripts.prove_pynn),
    (prove_scripts.HXTORCH_SCRIPT, "run_hxtorch.py on the stand-in", prove_scripts.prove_hxtorch),
    (prove_emulated.CHIPS, "virtual chips", prove_emulated.prove_chips),
)
