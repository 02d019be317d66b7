"""What the demo trains and deploys, as data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """One run of ``train``.

    Args:
        name: of its folder.
        overrides: of ``train``.
        start_from: name of the training whose best network it fine-tunes; None starts anew.
    """

    name: str
    overrides: tuple[str, ...]
    start_from: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One model on one target.

    Args:
        model, target: row and column of the table.
        training: name of the training whose best network is deployed.
        overrides: of ``deploy``, beside the target.
        forbidden: the target cannot take such networks, and ``deploy`` has to say so.
    """

    model: str
    target: str
    training: str
    overrides: tuple[str, ...] = field(default=())
    forbidden: bool = False

    @property
    def name(self) -> str:
        """Of the cell."""
        return f"{self.model}-{self.target}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All of it.

    Args:
        models, targets: rows and columns of the table.
        trainings, cells: in the order in which they start when there is room: what takes longest comes first.

    Raises:
        ValueError: a name is taken twice, or nobody has it.
    """

    models: tuple[str, ...]
    targets: tuple[str, ...]
    trainings: tuple[Training, ...]
    cells: tuple[Cell, ...]

    def __post_init__(self) -> None:
        names = [job.name for job in (*self.trainings, *self.cells)]
        if len(set(names)) < len(names):
            raise ValueError(f"names are taken twice: {names}")
        wanted = {t.start_from for t in self.trainings if t.start_from} | {c.training for c in self.cells}
        if unknown := wanted - {t.name for t in self.trainings}:
            raise ValueError(f"no such training: {', '.join(sorted(unknown))}")

    @property
    def shown(self) -> tuple[Cell, ...]:
        """The cells as the table has them: by model, then by target."""
        return tuple(sorted(self.cells, key=lambda c: (self.models.index(c.model), self.targets.index(c.target))))

    def training(self, name: str) -> Training:
        """The training of that name."""
        return next(training for training in self.trainings if training.name == name)

    def lineage(self, cell: Cell) -> tuple[Training, ...]:
        """The trainings behind a cell, the first one first."""
        found: list[Training] = []
        name: str | None = cell.training
        while name is not None:
            found.insert(0, self.training(name))
            name = found[0].start_from
        return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One command.

    Args:
        name: of a training or a cell.
        arguments: behind ``lightning-neuro``.
        after: names of the jobs that must have succeeded.
    """

    name: str
    arguments: tuple[str, ...]
    after: tuple[str, ...]


def jobs_of(plan: Plan, folder: str) -> tuple[Job, ...]:
    """The commands of a plan: trainings, then deployments, in the plan's order.

    Args:
        plan: what to do.
        folder: of the demo, as the commands shall name it.
    """
    return (
        *(_train(training, folder) for training in plan.trainings),
        *(_deploy(cell, folder) for cell in plan.cells),
    )


def checkpoint(training: str, folder: str) -> str:
    """Path of the best network of a training."""
    return f"{folder}/{training}/best.ckpt"


def artefact(cell: Cell, folder: str) -> str:
    """Folder of what a cell deploys."""
    return f"{folder}/{cell.training}/deploy/{cell.target}"


def _train(training: Training, folder: str) -> Job:
    start = training.start_from
    from_ = () if start is None else (f"start_from={checkpoint(start, folder)}",)
    run = f"hydra.run.dir={folder}/{training.name}"
    return Job(
        name=training.name,
        arguments=("train", *training.overrides, *from_, run),
        after=() if start is None else (start,),
    )


def _deploy(cell: Cell, folder: str) -> Job:
    return Job(
        name=cell.name,
        arguments=("deploy", checkpoint(cell.training, folder), f"target={cell.target}", *cell.overrides),
        after=(cell.training,),
    )


def commands(plan: Plan, cell: Cell, folder: str) -> tuple[str, ...]:
    """What to type to make a cell again."""
    jobs: Sequence[Job] = (*(_train(training, folder) for training in plan.lineage(cell)), _deploy(cell, folder))
    return tuple("lightning-neuro " + " ".join(job.arguments) for job in jobs)
