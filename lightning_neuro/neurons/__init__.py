"""Neuron layers that run whole sequences, their surrogates and their kernels."""

from lightning_neuro.neurons.lif import LIF, LIFConstants
from lightning_neuro.neurons.surrogate import SURROGATES, Surrogate, make_surrogate

__all__ = ["LIF", "SURROGATES", "LIFConstants", "Surrogate", "make_surrogate"]
