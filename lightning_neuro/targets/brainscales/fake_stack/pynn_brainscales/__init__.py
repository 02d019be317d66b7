"""Stand-in for the package of the same name: no chip, strict rules."""
