"""What there is on a BrainScaleS-2 chip, as numbers.

Coordinates as in halco (github.com/electronicvisions/halco): two hemispheres of 256 columns, each column with one
neuron circuit per hemisphere and 256 synapses above it; a synapse driver drives two rows. Driver d hangs on PADI bus
``d mod 4`` of its hemisphere; spikes of the neurons of columns 32 k to 32 k + 31 leave by event output k, which feeds
PADI buses ``k mod 4``.
"""

from __future__ import annotations

HEMISPHERES = 2
COLUMNS = 256  # per hemisphere
CIRCUITS = HEMISPHERES * COLUMNS
DRIVERS = 128  # per hemisphere
ROWS = 2 * DRIVERS  # per hemisphere
SYNAPSES = HEMISPHERES * ROWS * COLUMNS
SIGNED_FAN_IN = ROWS // 2  # a signed source takes an excitatory and an inhibitory row
BUSES = 4  # PADI buses per hemisphere
DRIVERS_PER_BUS = DRIVERS // BUSES
ROWS_PER_BUS = 2 * DRIVERS_PER_BUS
EVENT_OUTPUTS = 8
COLUMNS_PER_OUTPUT = COLUMNS // EVENT_OUTPUTS
LABELS = 64  # addresses that tell sources on one row apart, 6 bits
NEURON_LABELS = 1 << 14  # addresses of input lines
LARGEST_WEIGHT = 63  # LSB, 6 bits; the sign belongs to the row
BACKGROUND_SOURCES = 8
CYCLE_US = 0.008  # of the FPGA's 125 MHz: grid of spike times
RUNTIME_CYCLES = 1 << 31
"""Longest program: the playback timer counts FPGA cycles in 32 bits; half of that leaves room. (Assumption.)"""
CADC_PERIOD_US = 2.0
"""Between two samples of the column converters (hxtorch: 1.7 to 2 with results in the processor's own memory)."""
SAFE_EVENT_US = 0.032
"""One input spike per this time on average is safe. (Assumption: no bandwidth was found published.)"""


def event_output(column: int) -> int:
    """Event output, 0 to 7, of the neurons of a column."""
    return column // COLUMNS_PER_OUTPUT


def bus_of_column(column: int) -> int:
    """PADI bus, 0 to 3, that carries the spikes of the neurons of a column.

    >>> bus_of_column(31), bus_of_column(32), bus_of_column(128)
    (0, 1, 0)
    """
    return event_output(column) % BUSES


def bus_of_driver(driver: int) -> int:
    """PADI bus, 0 to 3, of a synapse driver.

    >>> [bus_of_driver(d) for d in (0, 1, 5, 127)]
    [0, 1, 1, 3]
    """
    return driver % BUSES


def repetitions(largest: int) -> int:
    """How often a source is repeated for its largest weight: no synapse holds more than 63 LSB.

    >>> repetitions(0), repetitions(63), repetitions(64)
    (1, 1, 2)
    """
    return max(1, -(-largest // LARGEST_WEIGHT))
