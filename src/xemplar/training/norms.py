"""BatchNorm, whose numbers depend on the other rows: kept as it came, shared, or refused.

Knows modules; knows nothing of batches or recipes.
"""

from __future__ import annotations

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from xemplar.errors import XemplarError
from xemplar.training.ranks import SharedBatchNorm


def batch_norms(model: nn.Module) -> list[str]:
    """The names of a model's BatchNorms."""
    return [name for name, module in model.named_modules() if isinstance(module, _BatchNorm)]


def refuse_chunks(model: nn.Module) -> None:
    """A batch that is embedded chunk by chunk has no statistics of the whole."""
    if names := batch_norms(model):
        raise XemplarError(
            f"training.chunk with BatchNorm ({len(names)} of it, {names[0]} first), whose statistics are "
            "the whole batch's",
            wanted="a model whose rows are embedded each by itself",
            remedy='set model.image.norm = "group", or training.frozen_norm = true for a pretrained backbone',
        )


def freeze(model: nn.Module) -> None:
    """BatchNorm keeps its statistics; its weight and bias still learn. To be called after `train()`."""
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.eval()


def share_statistics(model: nn.Module) -> None:
    """Make every BatchNorm's statistics those of all processes; its names and values stay."""
    for name, child in model.named_children():
        if type(child) is not nn.BatchNorm2d:
            share_statistics(child)
            continue
        shared = SharedBatchNorm(
            child.num_features, child.eps, child.momentum, child.affine, child.track_running_stats
        )
        shared.load_state_dict(child.state_dict())
        setattr(model, name, shared.to(next(iter(child.state_dict().values())).device))
