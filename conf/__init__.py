"""The Hydra configuration tree; its groups are plain folders of YAML files."""
