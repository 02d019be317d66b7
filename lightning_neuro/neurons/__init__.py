"""Neuron layers that run whole sequences or spike times, their surrogates and their kernels."""

from lightning_neuro.neurons.first_spike import first_spike_times
from lightning_neuro.neurons.lif import LIF, LIFConstants
from lightning_neuro.neurons.surrogate import SURROGATES, Surrogate, make_surrogate

__all__ = ["LIF", "SURROGATES", "LIFConstants", "Surrogate", "first_spike_times", "make_surrogate"]
