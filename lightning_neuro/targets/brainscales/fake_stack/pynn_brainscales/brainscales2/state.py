"""One experiment: populations and projections, their place on the chip, and the runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lightning_neuro.targets.brainscales.fake_stack import rules
from lightning_neuro.targets.brainscales.fake_stack.rules import Refused
from lightning_neuro.targets.brainscales.fake_stack.stand_in_chip import CYCLE_US, Neurons, Wires, answer

if TYPE_CHECKING:
    from .parts import Population, Projection

now: Experiment | None = None
"""The experiment between setup and end."""


class Experiment:
    """What was made since ``setup``."""

    def __init__(self, permutation: list[Any], initial_config: dict[str, float] | None) -> None:
        self.permutation, self.initial_config = permutation, initial_config
        self.populations: dict[str, Population] = {}
        self.projections: list[Projection] = []
        self.runs = 0
        self.used: dict[str, object] = {}

    def add(self, population: Population, label: str | None) -> str:
        """Register a population; its name is its label, made distinct."""
        name = f"{label or 'population'}#{len(self.populations)}"
        self.populations[name] = population
        return name

    @property
    def on_chip(self) -> dict[str, Population]:
        """Populations of neurons."""
        return {name: p for name, p in self.populations.items() if p.neurons}

    # -- place & route

    def prepare(self) -> None:
        """Check everything that calibration and routing would."""
        cells = {name: self._parameters(p) for name, p in self.on_chip.items()}
        if not cells:
            raise Refused("no neurons")
        rules.same_for_all(list(cells.values()))
        circuits = rules.permutation(self.permutation, sum(p.size for p in self.on_chip.values()))
        first = np.cumsum([0, *(p.size for p in self.on_chip.values())])
        where = {name: circuits[first[k] : first[k + 1]] for k, name in enumerate(self.on_chip)}
        rows = self._rows(where)
        rules.rows_fit(rows)
        self.used = {
            "circuits": len(circuits),
            "synapse rows, by hemisphere": [sum(n for (h, _), n in rows.items() if h == side) for side in (0, 1)],
        }

    def _parameters(self, population: Population) -> dict[str, float]:
        found = dict(population.cell.parameters)
        if found:
            return found
        if self.initial_config is None:
            raise Refused(f"{population.label}: HXNeuron without initial_config never spikes")
        return self.initial_config

    def _rows(self, where: dict[str, list[int]]) -> dict[tuple[int, int | None], int]:
        """Rows by hemisphere of the target and bus of the source; a source's row serves all its targets there."""
        needed: dict[tuple[int, str, int, str], int] = {}
        for projection in self.projections:
            weights = np.abs(projection.matrix())
            halves = np.array([circuit // rules.COLUMNS for circuit in where[projection.post.label]])
            for half in set(halves.tolist()):
                strongest = weights[halves == half].max(axis=0)
                for source in np.flatnonzero(strongest):
                    key = (half, projection.pre.label, int(source), projection.receptor_type)
                    copies = int(np.ceil(strongest[source] / rules.LARGEST))
                    needed[key] = max(needed.get(key, 0), copies)
        rows: dict[tuple[int, int | None], int] = {}
        for (half, name, source, _), copies in needed.items():
            column = where[name][source] % rules.COLUMNS if name in where else None
            bus = None if column is None else column // rules.BLOCK % rules.BUSES
            rows[half, bus] = rows.get((half, bus), 0) + copies
        return rows

    # -- runs

    def run(self, runtime_ms: float) -> None:
        """Play all spike times and record."""
        if not 0 < runtime_ms <= rules.LONGEST_MS:
            raise Refused(f"Runtime of {runtime_ms} ms: it must be positive and at most {rules.LONGEST_MS:.0f} ms")
        self.prepare()
        sources = {name: p for name, p in self.populations.items() if not p.neurons}
        first = dict(zip(sources, np.cumsum([0, *(p.size for p in sources.values())]), strict=False))
        lines = [np.asarray(t, float) for p in sources.values() for t in self._times(p)]
        line = np.repeat(np.arange(len(lines)), [len(t) for t in lines])
        time_ms = np.concatenate([*lines, np.zeros(0)])
        if (time_ms > runtime_ms).any():
            raise Refused(f"a spike at {time_ms.max()} ms after the end of the run at {runtime_ms} ms")
        cycles = np.floor(time_ms * 1e3 / CYCLE_US)
        found = answer(
            len(lines),
            (np.zeros(len(line), int), line, cycles * CYCLE_US, 1),
            {name: self._neurons(p) for name, p in self.on_chip.items()},
            self._wires(sources, first, len(lines)),
            end_us=runtime_ms * 1e3,
            run=self.runs,
        )
        self.runs += 1
        for name, population in self.on_chip.items():
            spikes = found.spikes[name]
            trains = [spikes.time_us[spikes.neuron == n] / 1e3 for n in range(population.size)]
            if population.recorded:
                population.segments.append(trains)

    def _times(self, population: Population) -> list[Any]:
        return list(population.times) if len(population.times) else [[]] * population.size

    def _neurons(self, population: Population) -> Neurons:
        p = self._parameters(population)
        if p["tau_syn_E"] != p["tau_syn_I"] or p["i_synin_gm_E"] != p["i_synin_gm_I"]:
            raise Refused("this stand-in takes the same excitatory and inhibitory constants")
        return Neurons(
            size=population.size,
            v_rest=p["v_rest"],
            v_reset=p["v_reset"],
            v_thresh=p["v_thresh"],
            tau_m=p["tau_m"],
            tau_syn=p["tau_syn_E"],
            tau_refrac=p["tau_refrac"],
            i_synin_gm=p["i_synin_gm_E"],
            synapse_dac_bias=p["synapse_dac_bias"],
        )

    def _wires(self, sources: dict[str, Population], first: dict[str, Any], lines: int) -> list[Wires]:
        """Both receptor types added, all sources as parts of one input."""
        total: dict[tuple[str, str], Any] = {}
        for projection in self.projections:
            pre, post, weights = projection.pre.label, projection.post.label, projection.matrix()
            if pre in sources:
                wide = np.zeros((projection.post.size, lines), np.int64)
                wide[:, first[pre] : first[pre] + projection.pre.size] = weights
                pre, weights = "", wide
            total[pre, post] = total.get((pre, post), 0) + weights
        return [Wires(pre=pre, post=post, weights=weights) for (pre, post), weights in total.items()]
