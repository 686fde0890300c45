"""How processes share a model: a copy in each (DDP, ZeRO), or a shard of every weight in each (FSDP).

All compute the same update. DDP keeps weights, gradients and moments in every process and adds up the gradients. With
"zero", a process keeps the moments of its share of the parameters alone: :mod:`.shared_optimizer`. FSDP keeps a 1/size
share of all three, fetches a block's weights just before they are needed and drops them after.

In 16 bits, what FSDP fetches of the blocks is in 16 bits, half as many bytes: autocast would round these weights
anyway. The shards that the optimizer changes, their moments and the sums of the gradients are float32, and so is what
is outside the blocks: the embeddings, where the residual stream begins.

Sources: Li et al. 2020, arXiv:2006.15704 (DDP); Rajbhandari et al. 2020, arXiv:1910.02054 (ZeRO, stages 1 and 3);
Zhao et al. 2023, arXiv:2304.11277 (FSDP).
"""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.nn.parallel import DistributedDataParallel

from minigpt.training.losses import LossModule
from minigpt.training.processes.distributed import World


def wrap(loss: LossModule, strategy: str, world: World, precision: torch.dtype = torch.float32) -> nn.Module:
    """The module to call in training; every process gets the weights of rank 0.

    One process needs no strategy and gets ``loss`` itself. The optimizer is built after this: "fsdp" replaces the
    parameters of the model by shards.

    Args:
        loss: of a GPT, on the world's device.
        strategy: "ddp", "zero" or "fsdp".
        world: the processes.
        precision: of the large products; in 16 bits the module is to be called under autocast.
    """
    return loss if world.size == 1 else STRATEGIES[strategy](loss, world, precision)


def data_parallel(loss: LossModule, world: World, precision: torch.dtype) -> nn.Module:
    """A copy of the model in each process; the mean of the gradients over the processes arrives in all."""
    device_ids = [world.device.index] if world.device.type == "cuda" else None
    return DistributedDataParallel(loss, device_ids=device_ids)


def fully_sharded(loss: LossModule, world: World, precision: torch.dtype) -> nn.Module:
    """A shard of every parameter in each process, in place: block by block, then what is left."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

    for parameter in loss.parameters():  # fully_shard keeps each process's own numbers
        dist.broadcast(parameter.data, 0)
    mesh = init_device_mesh(world.device.type, (world.size,))
    narrow = MixedPrecisionPolicy(param_dtype=precision, reduce_dtype=torch.float32, cast_forward_inputs=False)
    policy = narrow if precision.itemsize == 2 else MixedPrecisionPolicy()
    for block in loss.model.get_submodule("blocks").children():
        fully_shard(block, mesh=mesh, mp_policy=policy)
    # the default leaves the root whole after a forward without backward, where the optimizer does not know its weights
    fully_shard(loss, mesh=mesh, reshard_after_forward=True)
    return loss


def make_callable(model: nn.Module, loss: nn.Module, autocast: Callable[[], AbstractContextManager[object]]) -> None:
    """Let a sharded ``model`` be called by itself after training, by all processes together.

    Its weights outside the blocks come together where ``loss``, which FSDP has wrapped, begins its forward pass. From
    here on they also do where the model begins its own, in the precision in which it was trained. A model that is not
    sharded is left alone.

    Args:
        model: what was trained.
        loss: of the model.
        autocast: the context in which it was trained.
    """
    if not _is_sharded(loss):
        return
    from torch.distributed.fsdp import register_fsdp_forward_method

    written = model.forward

    def forward(*arguments: Any, **options: Any) -> Tensor:
        with autocast():  # the blocks fetch their weights in this precision
            return written(*arguments, **options)

    vars(loss)["logits"] = forward
    register_fsdp_forward_method(loss, "logits")
    model.forward = vars(loss).pop("logits")


STRATEGIES: dict[str, Callable[[LossModule, World, torch.dtype], nn.Module]] = {
    "ddp": data_parallel,
    "zero": data_parallel,
    "fsdp": fully_sharded,
}


@contextmanager
def gradient_sync(wrapped: nn.Module, enabled: bool) -> Iterator[None]:
    """Around forward and backward: whether the gradients travel between the processes, or wait for the last call."""
    if _is_sharded(wrapped):
        wrapped.set_requires_gradient_sync(enabled)  # type: ignore[operator]
    waits = isinstance(wrapped, DistributedDataParallel) and not enabled
    with wrapped.no_sync() if waits else nullcontext():  # type: ignore[operator]
        yield


def _is_sharded(module: nn.Module) -> bool:
    return hasattr(module, "set_requires_gradient_sync")  # FSDP's modules have it


def whole(tensor: Tensor) -> Tensor:
    """The whole of a sharded tensor, on every process, which all must ask; any other tensor as it is."""
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor


def gathered(tensors: dict[str, Tensor], world: World) -> dict[str, Tensor]:
    """Tensors by name; a sharded one is whole and on the CPU of rank 0, which has memory for it, and nowhere else.

    One that only another process keeps, which is on the device "meta" here, comes to the CPU of rank 0 too.
    """
    found, owners = {}, _owners(tensors, world)
    for name, tensor in tensors.items():
        if owners.get(name, 0):
            found.update(_sent_to_main(name, tensor, owners[name], world))
        elif tensor.is_meta:
            continue
        elif (complete := whole(tensor)) is tensor:
            found[name] = tensor
        elif world.is_main:
            found[name] = complete.cpu()
    return found


def _owners(tensors: dict[str, Tensor], world: World) -> dict[str, int]:
    """The first process that has the numbers of each tensor of which another one knows the shape alone."""
    if world.size == 1:
        return {}
    lacking = [set(json.loads(text)) for text in world.gather(json.dumps([n for n, t in tensors.items() if t.is_meta]))]
    return {
        name: next(rank for rank, names in enumerate(lacking) if name not in names) for name in set().union(*lacking)
    }


def _sent_to_main(name: str, tensor: Tensor, owner: int, world: World) -> dict[str, Tensor]:
    """Where the numbers are, send them; on rank 0, receive them."""
    if world.rank == owner:
        dist.send(tensor.cpu().contiguous(), 0, group=world.group)
    if not world.is_main:
        return {}
    received = torch.empty(tensor.shape, dtype=tensor.dtype)
    dist.recv(received, owner, group=world.group)
    return {name: received}


@torch.no_grad()
def copy_whole(tensor: Tensor, source: Tensor) -> None:
    """Copy the whole ``source``, which every process has, into a tensor that may be sharded."""
    if hasattr(tensor, "full_tensor"):
        from torch.distributed.tensor import distribute_tensor

        mesh, placements = tensor.device_mesh, tensor.placements  # type: ignore[attr-defined]
        source = distribute_tensor(source.to(tensor.device), mesh, placements, src_data_rank=None)
    tensor.copy_(source)
