"""What a large batch in chunks, and what bf16 with channels last, cost beside the plain step, as JSON.

A step is what the training loop does with a batch: images moved, both towers, InfoNCE, gradients, AdamW;
on random images and random words, in fp32 where nothing else is said. Three measurements:

memory     32 at once, 512 in chunks of 32, and 512 at once, each in a process of its own whose peak the
           system says (VmHWM). `rest_mib` is what the process holds before it has a batch: libraries, model
           and AdamW's moments, after a step of two rows. `above_rest_mib` is the peak less that, with the
           batch itself (which the loop has in memory whole) and every gradient.
gradients  512 in chunks beside 512 at once, no dropout: `relative`, the difference's norm over the
           gradient's; the same of the parameter where it is largest; `largest`, of two numbers. In fp64 too,
           where rounding is out of the way, and each fp32 beside it, which is what rounding does to a batch
           at once. They hold where in fp64 the relative difference is within the bar for each parameter
           and in fp32 the difference of any two numbers.
speed      a plain batch of 32 in fp32 with channels first (the way one writes it), in fp32 with channels
           last, and in bf16 with channels last (ours), taking turns in one process: median of the rounds'
           ratios, and how far the losses of the same weights and batch lie apart.

Sizes: `tiny` is the recipe `xemplar` with GroupNorm (128 px); `resnet18` and `vit_s` have that network at
224 px and a BERT of 4 layers and 256 dimensions. BatchNorm doesn't go with chunks: GroupNorm there, its own
BatchNorm for speed.

Usage: OMP_NUM_THREADS=1 python benchmarks/cached.py [--memory tiny resnet18] [--speed resnet18 vit_s]
       [--out docs/results/cached.json]
       python benchmarks/cached.py --page      (writes the committed figures into docs/training.md)
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch
from machine import machine
from publish import ROOT, marked
from torch.nn import functional

from xemplar.memory import keep_freed
from xemplar.models.config import ImageTower, ModelConfig, TextTower
from xemplar.models.dual import DualEncoder
from xemplar.training.augment import augment
from xemplar.training.cached import Passes, Side
from xemplar.training.objectives.contrastive import info_nce
from xemplar.training.ranks import Ranks
from xemplar.training.recipe import load_recipe

SMALL, LARGE, CHUNK = 32, 512, 32
MEMORY, GRADIENTS = 1.3, 1e-5
RESNET18 = {"model_type": "resnet", "num_channels": 1, "embedding_size": 64, "layer_type": "basic",
            "hidden_sizes": [64, 128, 256, 512], "depths": [2, 2, 2, 2]}  # fmt: skip
VIT_S = {"model_type": "vit", "num_channels": 1, "image_size": 224, "patch_size": 16, "hidden_size": 384,
         "num_hidden_layers": 12, "num_attention_heads": 6, "intermediate_size": 1536}  # fmt: skip
BERT = {"model_type": "bert", "hidden_size": 256, "num_hidden_layers": 4, "num_attention_heads": 4,
        "intermediate_size": 1024, "vocab_size": 4000, "max_position_embeddings": 128}  # fmt: skip
WORDS = 64
"""Tokens of each text, none of them padding."""


def settings(size: str, *, norm: str, dropout: bool) -> ModelConfig:
    if size == "tiny":
        config = load_recipe("xemplar")[0].model
        image, text = config.image, config.text
        text = text.model_copy(update={"config": {**text.config, "vocab_size": text.vocabulary}})
    else:
        network = RESNET18 if size == "resnet18" else VIT_S
        image = ImageTower(input_size=224, config=network, dropout=0.1)
        text = TextTower(config=BERT, dropout=0.1)
        config = ModelConfig(image=image, text=text, dim=256)
    image = image.model_copy(update={"norm": norm})
    if not dropout:
        none = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
        image = image.model_copy(update={"dropout": 0.0})
        text = text.model_copy(update={"dropout": 0.0, "config": {**text.config, **none}})
    return config.model_copy(update={"image": image, "text": text})


class ChannelsFirst(DualEncoder):
    """The dual encoder as one writes it, in torch's own order of dimensions."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.image_tower.to(memory_format=torch.contiguous_format)

    def image_vectors(self, images):
        """As the dual encoder's, for mean pooling."""
        middle = images.mean((2, 3), keepdim=True) if self.config.image.centre else self.mean
        hidden = self.image_tower(pixel_values=(images - middle) / self.std).last_hidden_state
        if hidden.ndim == 4:
            pooled = functional.adaptive_avg_pool2d(hidden, self.config.image.grid).flatten(1)
        else:
            pooled = hidden[:, 1:].mean(1)  # without the first token
        return functional.normalize(self.image_projection(pooled).float(), dim=-1)


class Learner:
    """A model, its optimiser, and steps on random batches that follow from their size alone."""

    def __init__(self, config: ModelConfig, *, kind=DualEncoder) -> None:
        torch.manual_seed(0)
        self.model = kind(config).train()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-4)
        self.moved = load_recipe("xemplar")[0].training.augmentation

    def batch(self, count: int):
        """Coarse shading under noise, (count, 1, side, side); words; one right text for each."""
        draw = torch.Generator().manual_seed(count)
        side, text = self.model.config.image.input_size, self.model.config.text
        shades = torch.rand(count, 1, 8, 8, generator=draw)
        images = functional.interpolate(shades, side, mode="bilinear").mul_(0.8)
        for image in images:  # one by one, so that making it isn't the most that is ever held
            image.add_(torch.rand(1, side, side, generator=draw), alpha=0.2)
        words = torch.randint(5, text.config["vocab_size"], (count, WORDS), generator=draw)
        return images, words, torch.eye(count, dtype=torch.bool)

    def backward(self, batch, *, chunk: int = 0, precision: str = "fp32") -> float:
        """Leave a batch's gradients in the parameters."""
        images, words, right = batch

        def seen(rows):
            draw = torch.Generator().manual_seed(1)
            with torch.autocast("cpu", enabled=False):
                shown = augment(images[rows], self.moved, draw, part=(rows.start, len(images)))
            return self.model.image_vectors(shown.to(self.model.log_scale.dtype))

        def read(rows):
            return self.model.text_vectors(words[rows], torch.ones_like(words[rows]))

        sides = [Side(len(images), seen), Side(len(words), read)]
        passes = Passes(Ranks(device=torch.device("cpu")), chunk, precision)
        self.optimizer.zero_grad(set_to_none=True)
        scale = [self.model.log_scale]
        loss = passes.backward(
            sides, lambda both: info_nce(*both, right, scale=self.model.scale), seed=2, own=scale
        )
        return float(loss)

    def step(self, batch, *, chunk: int = 0, precision: str = "fp32") -> float:
        """As the training loop's."""
        loss = self.backward(batch, chunk=chunk, precision=precision)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        return loss


def resident(field: str) -> float:
    """MiB: VmRSS, what this process holds now, or VmHWM, the most it ever held."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{field}:")[2].split()[0]) / 1024


# --- each runs in a process of its own -------------------------------------------------------------


def memory(size: str, count: int, chunk: int) -> dict:
    keep_freed()  # as the command does
    learner = Learner(settings(size, norm="group", dropout=True))
    learner.step(learner.batch(2))
    learner.optimizer.zero_grad(set_to_none=True)
    rest, before = resident("VmRSS"), resident("VmHWM")
    batch = learner.batch(count)
    began = time.perf_counter()
    learner.step(batch, chunk=chunk)
    took, peak = time.perf_counter() - began, resident("VmHWM")
    if peak <= before:
        raise SystemExit(f"the start of the process held {before:.0f} MiB, more than its step")
    return {
        "peak_mib": round(peak, 1),
        "rest_mib": round(rest, 1),
        "above_rest_mib": round(peak - rest, 1),
        "batch_mib": round(sum(part.nbytes for part in batch) / 2**20, 1),
        "step_seconds": round(took, 2),
    }


def gradients(size: str, count: int, chunk: int) -> dict:
    keep_freed()
    learner = Learner(settings(size, norm="group", dropout=False))
    batch, found, losses = learner.batch(count), {}, {}
    for precision in ("fp32", "fp64"):
        if precision == "fp64":
            learner.model.double()
            torch.Tensor.float = torch.Tensor.double  # the model's own ways back to single precision
        for name, each in ((f"{count} at once", 0), (f"in chunks of {chunk}", chunk)):
            losses[f"{precision}, {name}"] = learner.backward(batch, chunk=each)
            kept = {key: one.grad.double() for key, one in learner.model.named_parameters()}
            found[precision, bool(each)] = kept
    return {
        "fp32, chunks beside at once": apart(found["fp32", True], found["fp32", False]),
        "fp64, chunks beside at once": apart(found["fp64", True], found["fp64", False]),
        "fp32 at once beside fp64 at once": apart(found["fp32", False], found["fp64", False]),
        "fp32 in chunks beside fp64 at once": apart(found["fp32", True], found["fp64", False]),
        "largest_gradient": max(float(one.abs().max()) for one in found["fp64", False].values()),
        "parameters": len(kept),
        "losses": losses,
    }


def apart(one: dict, other: dict) -> dict:
    """How far two sets of gradients lie from each other."""

    def norm(tensors) -> float:
        return sum(float(value.square().sum()) for value in tensors) ** 0.5

    between = {name: one[name] - value for name, value in other.items()}
    whole = norm(other.values())
    # A gradient that is nothing but rounding (a key's bias: softmax doesn't see it) has no size of its own.
    sized = [name for name, value in other.items() if norm([value]) > 1e-5 * whole]
    shares = {name: norm([between[name]]) / norm([other[name]]) for name in sized}
    worst = max(shares, key=shares.get)
    return {
        "relative": norm(between.values()) / whole,
        "relative_at_worst": shares[worst],
        "worst": worst,
        "largest": max(float(value.abs().max()) for value in between.values()),
    }


def speed(size: str, rounds: int) -> dict:
    keep_freed()
    config = settings(size, norm="own", dropout=False)
    first, last = Learner(config, kind=ChannelsFirst), Learner(config)
    batch = last.batch(SMALL)
    ways = {
        "fp32, channels first": lambda do: getattr(first, do)(batch),
        "fp32, channels last": lambda do: getattr(last, do)(batch),
        "bf16, channels last": lambda do: getattr(last, do)(batch, precision="bf16"),
    }
    losses = {name: way("backward") for name, way in ways.items()}  # before any step: the same weights
    times = {name: [] for name in ways}
    for turn in range(rounds):
        for name in list(ways)[:: 1 if turn % 2 else -1]:
            began = time.perf_counter()
            ways[name]("step")
            times[name].append(time.perf_counter() - began)
    plain, ours = "fp32, channels first", "bf16, channels last"
    ratios = {
        name: [a / b for a, b in zip(times[name], times[ours], strict=True)] for name in ways if name != ours
    }
    return {
        "step_seconds": {name: round(statistics.median(taken), 3) for name, taken in times.items()},
        "times_as_fast_as": {name: round(statistics.median(row), 2) for name, row in ratios.items()},
        "rounds": {name: [round(one, 2) for one in row] for name, row in ratios.items()},
        "losses": {name: round(loss, 5) for name, loss in losses.items()},
        "loss_difference": round(abs(losses[ours] - losses[plain]), 5),
        "loss_difference_relative": round(abs(losses[ours] - losses[plain]) / losses[plain], 6),
    }


# --- the whole -------------------------------------------------------------------------------------


def alone(name: str, *given: object) -> dict:
    """What one of the functions above gives in a process of its own."""
    print(f"{name} {' '.join(map(str, given))}", file=sys.stderr)
    asked = [sys.executable, __file__, "--alone", name, *map(str, given)]
    return json.loads(subprocess.run(asked, capture_output=True, text=True, check=True).stdout)


def beside(size: str, *, whole: bool) -> dict:
    plain, cached = alone("memory", size, SMALL, 0), alone("memory", size, LARGE, CHUNK)
    shares = {name: round(cached[name] / plain[name], 3) for name in ("peak_mib", "above_rest_mib")}
    row = {"size": size, f"{SMALL} at once": plain, f"{LARGE} in chunks of {CHUNK}": cached}
    if whole:
        row[f"{LARGE} at once"] = alone("memory", size, LARGE, 0)
    return {**row, "share": shares, "holds": bool(max(shares.values()) <= MEMORY)}


NAMES = {
    "tiny": "recipe `xemplar`, 128 px",
    "resnet18": "ResNet18, 224 px",
    "vit_s": "ViT-S/16, 224 px",
}


def page(found: dict) -> str:
    """The figures as Markdown."""
    where, large = found["machine"], found["batch"]["large"]
    lines = [
        f"{where['cpu']}, {where['threads']} thread, torch {where['torch']}, commit {where['commit']}.",
        "",
        *table_row("model", "batch", "process, MiB", "above its rest, MiB", "seconds a step"),
    ]
    for row in found["memory"]:
        for name, one in row.items():
            if isinstance(one, dict) and "step_seconds" in one:
                cells = (one["peak_mib"], one["above_rest_mib"], one["step_seconds"])
                lines += table_row(NAMES[row["size"]], name, *cells, head=False)
        shares = (f"**{row['share'][name]:.3f}**" for name in ("peak_mib", "above_rest_mib"))
        lines += table_row(NAMES[row["size"]], "chunks over plain", *shares, "", head=False)
    same = found["gradients"]
    exact, rounded = same["fp64, chunks beside at once"], same["fp32, chunks beside at once"]
    lines += [
        "",
        f"Gradients of {large} in chunks beside {large} at once (recipe `xemplar`): in fp64 they differ by"
        f" {exact['relative']:.0e} of their norm; in fp32 by {rounded['relative']:.1e}, at most"
        f" {rounded['largest']:.1e} in any one number and {rounded['relative_at_worst']:.1e} of the norm of a"
        f" single parameter's (`{rounded['worst']}`). The batch at once in fp32 lies"
        f" {same['fp32 at once beside fp64 at once']['relative']:.1e} from itself in fp64.",
        "",
        *table_row(
            "batch of 32, seconds", *found["speed"][0]["step_seconds"], "first over last", "losses apart"
        ),
    ]
    for row in found["speed"]:
        times = row["times_as_fast_as"]["fp32, channels first"]
        apart_by = f"{row['loss_difference']:.5f} of {row['losses']['fp32, channels first']:.3f}"
        rounds = sorted(row["rounds"]["fp32, channels first"])
        spread = f"**{times:.2f}** ({rounds[0]:.2f} to {rounds[-1]:.2f})"
        cells = (*row["step_seconds"].values(), spread, apart_by)
        lines += table_row(NAMES[row["size"]], *cells, head=False)
    return "\n".join(lines)


def table_row(*cells: object, head: bool = True) -> list[str]:
    rows = [cells, ["---"] * len(cells)] if head else [cells]
    return ["| " + " | ".join(map(str, row)) + " |" for row in rows]


def publish() -> None:
    found = json.loads((ROOT / "docs" / "results" / "cached.json").read_text())
    path = ROOT / "docs" / "training.md"
    path.write_text(marked(path.read_text(encoding="utf-8"), "cached", page(found)), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--alone", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--memory", nargs="*", default=["tiny", "resnet18"])
    parser.add_argument("--speed", nargs="*", default=["resnet18", "vit_s"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--page", action="store_true")
    args = parser.parse_args()
    if args.page:
        publish()
        return
    if args.alone:
        name, size, *numbers = args.alone
        of = {"memory": memory, "gradients": gradients, "speed": speed}[name]
        print(json.dumps(of(size, *map(int, numbers))))
        return
    facts = {**machine(), "torch": torch.__version__, "threads": torch.get_num_threads()}
    # All at once, 512 films of 224 px don't fit a small machine.
    kept = [beside(size, whole=size == "tiny") for size in args.memory]
    same = {"size": "tiny", **alone("gradients", "tiny", LARGE, CHUNK)}
    exact, rounded = same["fp64, chunks beside at once"], same["fp32, chunks beside at once"]
    same["holds"] = bool(max(exact["relative_at_worst"], rounded["largest"]) <= GRADIENTS)
    found = {
        "title": "A batch in chunks, and bf16 with channels last, beside the plain step, on random films",
        "machine": facts,
        "batch": {"plain": SMALL, "large": LARGE, "chunk": CHUNK},
        "wanted": {"memory": f"<= {MEMORY}", "gradients": f"<= {GRADIENTS}"},
        "memory": kept,
        "gradients": same,
        "speed": [{"size": size, **alone("speed", size, args.rounds)} for size in args.speed],
    }
    text = json.dumps(found, indent=2) + "\n"
    if args.out is not None:
        args.out.write_text(text)
    print(text, end="")


if __name__ == "__main__":
    main()
