"""LightningModules; each file opens with the equations of its model."""
