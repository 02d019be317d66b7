from collections.abc import Callable

import numpy as np
import pytest
from markupsafe import Markup

from lightning_neuro.report import Capacity, ConnectionSummary, GraphSummary, InputSummary, Plot, Use
from lightning_neuro.report.charts import bars, histograms, membranes, plane, raster
from lightning_neuro.report.charts.topology import topology
from lightning_neuro.report.html import plot_panel
from lightning_neuro.report.observed import Events, Overlay, events_of_raster, overlay
from lightning_neuro.report.plots import spike_time_errors
from tests.report.conftest import HIDDEN
from tests.report.test_html import Tags

pytestmark = pytest.mark.draws

RNG = np.random.default_rng(0)
STEPPED = raster.Time(unit="step", low=-0.5, high=15.5, stepped=True)


def spikes(*pairs: tuple[int, float]) -> Events:
    neuron, time = zip(*pairs, strict=True) if pairs else ((), ())
    return Events(neuron=np.array(neuron, int), time=np.array(time, float))


def test_overlay_pairs_each_spike_once_within_the_tolerance() -> None:
    golden, artefact = spikes((0, 1.0), (0, 1.2), (1, 5.0), (2, 3.0)), spikes((0, 1.1), (1, 5.6), (2, 3.5))
    found = overlay(golden, artefact, 0.5)
    assert sorted(found.both.neuron.tolist()) == [0, 2]
    assert found.golden.time.tolist() == [1.2, 5.0] and found.artefact.time.tolist() == [5.6]


@pytest.mark.parametrize("density", [0.0, 0.1, 1.0])
def test_overlay_of_rasters_counts_what_differs(density: float) -> None:
    a, b = (RNG.random((2, 30, 40)) < density).astype(int)
    found = overlay(events_of_raster(a), events_of_raster(b), 0.0)
    counts = (len(found.both), len(found.golden), len(found.artefact))
    assert counts == ((a & b).sum(), (a & ~b & 1).sum(), (b & ~a & 1).sum())


def test_raster_has_a_mark_of_its_own_shape_for_every_spike_that_only_one_has() -> None:
    found = Overlay(both=spikes((0, 1), (3, 2)), golden=spikes((1, 4)), artefact=spikes((2, 4), (2, 5)))
    drawn = raster.raster("hidden", 4, found, STEPPED, last=True)
    assert drawn.count("#mark-golden") == 1 and drawn.count("#mark-artefact") == 2
    assert "2 common, 1 golden only, 2 artefact only" in drawn
    assert drawn.count("M") == 2  # the common ones


def test_dense_raster_stays_small() -> None:
    everything = events_of_raster(RNG.random((500, 800)) < 0.5)
    none = spikes()
    drawn = raster.raster("all", 800, Overlay(both=everything, golden=none, artefact=none), STEPPED, last=True)
    assert len(drawn) < 400_000
    many = raster.raster("all", 800, Overlay(both=none, golden=everything, artefact=none), STEPPED, last=True)
    assert many.count("<use") <= raster.MOST_MARKS and "difference is drawn" in many


CHARTS: dict[str, Callable[[], Markup]] = {
    "silent raster": lambda: raster.raster(
        "a", 3, Overlay(both=spikes(), golden=spikes(), artefact=spikes()), STEPPED, last=True
    ),
    "weights": lambda: histograms.weights("a", RNG.normal(size=50), np.round(RNG.normal(size=50) * 4) / 4),
    "16-bit weights": lambda: histograms.weights("a", RNG.normal(size=50), np.round(RNG.normal(size=50), 5)),
    "weights all zero": lambda: histograms.weights("a", np.zeros((2, 2)), np.zeros((2, 2))),
    "one sample's cycles": lambda: histograms.cycles(np.array([612])),
    "no activity": lambda: bars.activity({"hidden": np.zeros(5)}),
    "equal scores": lambda: bars.scores(np.zeros(3), None),
}


@pytest.mark.parametrize("draw", CHARTS.values(), ids=CHARTS.keys())
def test_chart_is_balanced_html_without_undefined_numbers(draw: Callable[[], Markup]) -> None:
    drawn = str(draw())
    assert Tags(drawn).open == []
    assert "nan" not in drawn and "inf" not in drawn


def test_membrane_that_was_not_recorded_leaves_a_gap_in_the_line() -> None:
    x, y = plane.axis(0, 4, ""), plane.axis(0, 1, "")
    drawn = plane.line(np.arange(5), np.array([0, 1, np.nan, 1, 0]), x, y, "trace")
    assert drawn.count("M") == 2 and drawn.count("L") == 2


def test_membrane_panel_says_whether_both_agree() -> None:
    golden = np.array([0.0, 3.0, 1.0])

    def drawn(artefact: np.ndarray) -> str:
        one = membranes.Membrane(neuron=4, golden=golden, artefact=artefact, fired=np.array([1]), threshold=2.0)
        return str(membranes.membranes([one], "LSB"))

    assert "agree" in drawn(golden) and "differ" in drawn(golden + 1)
    assert drawn(golden).count("trace artefact") == 1 and "threshold" in drawn(golden)


@pytest.mark.parametrize(
    ("values", "words"), [([-64, 10], "50 % of the word"), ([0, 127], "at the end of the word 1 times")]
)
def test_range_says_how_much_of_the_word_is_used(values: list[int], words: str) -> None:
    word = histograms.Word(
        name="a", values=np.array(values), low=-128, high=127, thresholds=np.array([20]), unit="LSB"
    )
    assert words in histograms.membrane_range(word)


def test_capacity_names_what_does_not_fit() -> None:
    found = Capacity(
        device="x", uses=(Use(what="LUT", used=50, available=200), Use(what="DSP", used=9, available=8)), source="y"
    )
    drawn = bars.capacity(found)
    assert "50 of 200, 25 %" in drawn and "9 of 8, 112 %" in drawn
    assert drawn.count('class="failed"') == 1


def test_topology_tells_sizes_bits_and_connections_that_are_no_arrow() -> None:
    graph = GraphSummary(
        sha256="ab" * 32,
        populations=(HIDDEN,),
        input=InputSummary(name="input", size=64, shape=(1, 8, 8), bits=None),
        connections=(
            ConnectionSummary(pre="input", post="hidden", kind="dense", weights=8192, bits=6, delay=0),
            ConnectionSummary(pre="hidden", post="hidden", kind="dense", weights=16384, bits=6, delay=1),
        ),
    )
    drawn = topology(graph)
    for words in ("1x8x8: 64 lines", "8,192 weights, 6 bit", "itself: dense, 16,384 weights, 6 bit, delay 1"):
        assert words in drawn
    assert drawn.count('class="arrow"') == 1


def test_picture_of_matplotlib_takes_the_colours_of_the_page_and_ids_of_its_own() -> None:
    plot: Plot = spike_time_errors({"hidden": RNG.normal(size=40)})
    page = plot_panel(plot).body
    assert "var(--ink)" in page and "#22262b" not in page
    other = plot_panel(spike_time_errors({"hidden": RNG.normal(size=50)})).body
    ids = [{value for _, attributes in Tags(text).seen if (value := attributes.get("id"))} for text in (page, other)]
    assert ids[0] and not ids[0] & ids[1]
