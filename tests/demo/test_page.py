"""The demo's page and its JSON as text."""

from __future__ import annotations

import json
import re

from lightning_neuro.demo.page import outcome, tally, to_html, to_json, works_on
from lightning_neuro.demo.results import Verdict
from lightning_neuro.report import Outcome
from tests.demo.cells import DONE, FACTS, FAILED, recorded, refused, with_checks


def test_a_refusal_does_not_spoil_the_outcome_and_a_failure_does(result):
    good, forbidden = result("lif-fpga", DONE, recorded("lif-fpga")), result("rate-brainscales", refused())
    skipped = with_checks(recorded("lif-fpga"), outcome=Outcome.SKIPPED, got=None, detail="no yosys")
    unproved = result("lif-fpga", DONE, skipped)
    assert outcome([good, forbidden]) is Verdict.PASSED
    assert outcome([good, forbidden, unproved]) is Verdict.INCOMPLETE
    assert outcome([unproved, result("lif-spinnaker", FAILED), good]) is Verdict.FAILED


def test_verdicts_are_counted(nine):
    assert tally(nine) == "7 passed, 1 failed, 1 refused"


def test_a_refused_cell_names_what_the_target_does_take(nine):
    assert [row.cell.model for row in works_on(nine)["brainscales"]] == ["lif", "spike_time"]


def test_the_page_links_every_report_and_log(nine):
    page = to_html(nine, FACTS)
    links = re.findall(r'href="([^"]+)"', page)
    for row in nine:
        assert row.log in links
        assert links.count(row.report or f"#{row.cell.name}") >= 2
        assert f'id="{row.cell.name}"' in page


def test_the_page_needs_nothing_from_elsewhere_and_escapes_what_programs_said(nine):
    page = to_html(nine, FACTS)
    assert "no such simulator &lt;ghdl&gt;" in page and "<ghdl>" not in page
    assert not re.search(r"https?://|<script|<link|@import", page)


def test_the_page_says_refusals_and_how_to_make_a_cell_again(nine):
    page = to_html(nine, FACTS)
    assert "neurons without leak" in page and "Remedy:" in page
    assert "lightning-neuro deploy outputs/demo/lif/best.ckpt target=fpga" in page
    assert "5 min 1 s" in page


def test_json_holds_the_same_numbers(nine):
    document = json.loads(to_json(nine, FACTS))
    assert document["ok"] is False and len(document["cells"]) == 9
    first = document["cells"][0]
    assert first["cell"]["model"] == "lif" and first["verdict"] == "passed"
    assert first["wrong"] == {"compared": 97619, "differing": 0}
    assert json.loads(to_json(nine[:1], FACTS))["ok"] is True
