"""Neuron layers that run whole sequences or spike times, their surrogates and their kernels."""

from lightning_neuro.neurons.delays import Delays
from lightning_neuro.neurons.first_spike import first_spike_times
from lightning_neuro.neurons.lif import LIF, LIFConstants
from lightning_neuro.neurons.spike_noise import SpikeNoise
from lightning_neuro.neurons.spike_time_layer import SpikeTimeLayer
from lightning_neuro.neurons.surrogate import SURROGATES, Surrogate, make_surrogate

__all__ = [
    "LIF",
    "SURROGATES",
    "Delays",
    "LIFConstants",
    "SpikeNoise",
    "SpikeTimeLayer",
    "Surrogate",
    "first_spike_times",
    "make_surrogate",
]
