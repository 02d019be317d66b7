"""Hardware targets: each a folder with constraints, a writer and a proof."""
