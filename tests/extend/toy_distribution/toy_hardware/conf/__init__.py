"""Configurations that this package adds to lightning_neuro's."""
