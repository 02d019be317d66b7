"""``python -m lightning_neuro.demo [--quick]``."""

from lightning_neuro.demo.command import main

if __name__ == "__main__":
    main()
