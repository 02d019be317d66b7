"""ANN to SNN: folding, calibration, conversion."""
