"""What a network's numbers depend on beside its weights: threads, processor, precision and batch shapes.

Knows how to ask for them, and how to set the threads; computes nothing.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping

import torch
from threadpoolctl import threadpool_info, threadpool_limits

from xemplar.contracts import Encoder, Json
from xemplar.models.checkpoint import TEXT_BATCH, TorchEncoder
from xemplar.models.linear import WithLinear
from xemplar.models.matching import TorchMatcher


def threads() -> dict[str, int]:
    """How many threads each library computes with: torch, and the pools of numpy's and scikit-learn's."""
    found = {"torch": torch.get_num_threads()}
    for pool in threadpool_info():
        kind = str(pool["user_api"])
        found[kind] = max(found.get(kind, 0), int(pool["num_threads"]))
    return found


def set_threads(counts: Mapping[str, int]) -> None:
    """Compute with so many threads from now on; `counts` as `threads` has them."""
    if "torch" in counts:
        torch.set_num_threads(counts["torch"])
    threadpool_limits({kind: count for kind, count in counts.items() if kind != "torch"})


def processor() -> str:
    """The machine's kind, and the instructions that torch takes of it."""
    return f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}"


def runs_with(encoder: Encoder) -> Json:
    """An encoder's precision, and the batch shapes that its passes are padded to; null where none runs."""
    network = encoder.encoder if isinstance(encoder, WithLinear) else encoder
    if isinstance(network, TorchEncoder):
        precision, together = network.model.config.precision, network.image_batch
    elif isinstance(network, TorchMatcher):
        precision, together = network.net.config.precision, 1
    else:
        return {"precision": None, "image_batch": None, "text_batch": None}
    return {"precision": precision, "image_batch": together, "text_batch": TEXT_BATCH}
