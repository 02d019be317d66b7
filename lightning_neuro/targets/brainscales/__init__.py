"""BrainScaleS-2: scripts for its two software stacks, every constraint checked, and an emulator of virtual chips."""
