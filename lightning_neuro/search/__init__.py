"""Choose the bits: every combination of widths runs on the golden model, and the cheapest good one is recommended."""
