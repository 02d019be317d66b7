"""Train a spiking network: ``python train.py model=lif trainer.max_epochs=50`` (see ``--help``)."""

from lightning_neuro.train import main

if __name__ == "__main__":
    main()
