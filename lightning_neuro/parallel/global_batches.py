"""Data-parallel training that takes the very steps of one process.

One process takes a batch of B samples and the mean gradient of its loss. P processes take the same batch in the same
order, each about B / P neighbouring samples of it, scale their mean loss by (own samples) / B and add their gradients:

    grad = sum_p (n[p] / B) d(mean loss of p)/dw = d(mean loss of the batch)/dw

also where the pieces differ in size. Learning rate, schedule and number of steps stay those of one process. Evaluation
sees every sample once.
"""

from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from pytorch_lightning.strategies import DDPStrategy
from pytorch_lightning.utilities.data import extract_batch_size
from torch import Tensor
from torch.futures import Future
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader
from typing_extensions import override

from lightning_neuro.data.samples import Batches
from lightning_neuro.errors import ConfigError
from lightning_neuro.parallel.batch_norm import GlobalBatchNorm
from lightning_neuro.parallel.processes import JobProcesses
from lightning_neuro.parallel.ranks import summed

PATIENCE = timedelta(hours=24)  # conversion, search and deployment at the end are done by one process; the others wait


class GlobalBatches(DDPStrategy):
    """Lightning's DDP with the batches and gradients of one process; equations in the module docstring.

    Args:
        process_group_backend: "gloo" or "nccl"; None takes nccl on GPUs, gloo elsewhere.
        find_unused_parameters: whether some parameters may be without gradient in a step.

    Example:
        ``pl.Trainer(devices=2, strategy=GlobalBatches(), use_distributed_sampler=False)``
    """

    def __init__(self, process_group_backend: str | None = None, find_unused_parameters: bool = False) -> None:
        super().__init__(
            process_group_backend=process_group_backend,
            timeout=PATIENCE,
            find_unused_parameters=find_unused_parameters,
        )
        self._share: float | Tensor = 1.0

    @override
    def _configure_launcher(self) -> None:
        assert self.cluster_environment is not None
        self._launcher = JobProcesses(self.cluster_environment, self.num_processes, self.num_nodes)

    @override
    def setup(self, trainer: Any) -> None:
        self._layer_sync = self._layer_sync or GlobalBatchNorm()
        super().setup(trainer)

    @override
    def _register_ddp_hooks(self) -> None:
        assert isinstance(self.model, DistributedDataParallel)
        self.model.register_comm_hook(None, _add_gradients)

    @override
    def process_dataloader(self, dataloader: object) -> object:
        sampler = getattr(dataloader, "sampler", None)
        if not isinstance(dataloader, DataLoader) or not isinstance(sampler, Batches):
            raise ConfigError(
                "the data loader cannot be divided over processes",
                where="trainer.strategy",
                why="all processes together take the batches of one; only loaders of lightning_neuro.data can",
                next_command="Trainer(strategy='ddp'), or a data module of lightning_neuro.data",
            )
        part = sampler.part(self.global_rank, self.world_size)
        return DataLoader(dataloader.dataset, sampler=part, batch_size=None, num_workers=0)

    @override
    def training_step(self, *args: Any, **kwargs: Any) -> Any:
        own = torch.tensor(float(extract_batch_size(args[0])), device=self.root_device)
        self._share = own / summed(own)
        return super().training_step(*args, **kwargs)

    @override
    def backward(self, closure_loss: Tensor, optimizer: Any, *args: Any, **kwargs: Any) -> Tensor:
        return super().backward(closure_loss * self._share, optimizer, *args, **kwargs)


def _add_gradients(state: object, bucket: dist.GradBucket) -> Future[Tensor]:  # type: ignore[reportPrivateImportUsage]  # annotations that torch looks at
    """Sum in place of DDP's mean."""
    work = dist.all_reduce(bucket.buffer(), async_op=True)
    return work.get_future().then(lambda future: future.value()[0])  # type: ignore[union-attr]
