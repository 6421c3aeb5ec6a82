"""Each objective's step beside the plain PyTorch way of writing it, in one run, as JSON.

A step is forward and backward through the same small towers on the same features, and whatever the
objective keeps up to date (queue, teacher). "Plain" is how the papers' code writes it: targets built
for every pair, queues concatenated, negatives drawn row by row, words scored everywhere. Both must give
the same loss, or nothing is measured. Speed: plain time over ours, contenders taking turns step by step,
median over the rounds. Memory: the largest sum of what a step holds, from torch's own allocation events
(on a GPU, its peak counter).
Usage: python benchmarks/objectives.py [--batch 256] [--device cpu] [--out docs/results/objectives.json]
"""

import argparse
import copy
import json
import statistics
import time
from pathlib import Path

import torch
from machine import machine
from torch.nn import functional
from torch.profiler import ProfilerActivity, profile

from xemplar.training.objectives import contrastive, momentum, supervised, teacher

SPEED, MEMORY = 0.95, 1.0
EPSILON, PASSES = 0.05, 3


class World:
    """Features, towers and targets that every contender gets alike."""

    def __init__(self, args):
        self.args, draw = args, torch.Generator().manual_seed(0)
        self.device = torch.device(args.device)

        def made(*shape):
            return torch.randn(*shape, generator=draw).to(self.device)

        n, width, dim = args.batch, args.width, args.dim
        self.x, self.y = made(n, width), made(n, width)
        torch.manual_seed(1)
        towers = (tower(width, dim), tower(width, dim))
        self.towers = torch.nn.ModuleList(towers).to(self.device)
        self.classes = functional.normalize(made(14, dim), dim=1).requires_grad_()
        self.scale = torch.tensor(14.0, device=self.device, requires_grad=True)
        self.bias = torch.tensor(-10.0, device=self.device, requires_grad=True)
        self.pairs = torch.eye(n, dtype=torch.bool, device=self.device)
        keys = torch.randint(n // 2, (n,), generator=draw).to(self.device)
        self.keys, self.shared = keys, keys[:, None] == keys[None, :]
        self.findings = made(n, 14) > 0.8
        self.labels = torch.where(made(n, 14) > 1.0, torch.nan, self.findings.float())
        self.queue = [functional.normalize(made(args.queue, dim), dim=1) for _ in range(2)]
        self.head = torch.nn.Linear(2 * dim, 2).to(self.device)
        self.words = torch.nn.Linear(width, args.vocabulary).to(self.device)
        self.hidden = made(n // 8, 24, width)
        self.taught = made(n // 8, 24, args.vocabulary)
        said = torch.randint(args.vocabulary, (n // 8, 24), generator=draw)
        self.said = said.masked_fill(torch.rand(n // 8, 24, generator=draw) > 0.15, -100).to(self.device)

    def vectors(self, towers=None):
        """Unit rows of both towers."""
        one, two = self.towers if towers is None else towers
        return functional.normalize(one(self.x), dim=1), functional.normalize(two(self.y), dim=1)


def tower(width, dim):
    layers = [torch.nn.Linear(width, 2 * width), torch.nn.GELU(), torch.nn.Linear(2 * width, dim)]
    return torch.nn.Sequential(*layers)


# --- contenders: each takes the world and returns (ours, plain), two functions that make a loss -------------


def clip(w):
    def ours():
        return contrastive.info_nce(*w.vectors(), w.pairs, scale=w.scale)

    def plain():
        images, texts = w.vectors()
        logits = w.scale * images @ texts.t()
        truth = torch.arange(len(logits), device=w.device)
        return (functional.cross_entropy(logits, truth) + functional.cross_entropy(logits.t(), truth)) / 2

    return ours, plain


def shared_positives(w):
    def ours():
        return contrastive.info_nce(*w.vectors(), w.shared, scale=w.scale)

    def plain():
        images, texts = w.vectors()
        logits = w.scale * images @ texts.t()
        right = w.shared.float()
        rows, columns = right / right.sum(1, keepdim=True), (right / right.sum(0, keepdim=True)).t()
        one = -(rows * functional.log_softmax(logits, dim=1)).sum(1).mean()
        return (one - (columns * functional.log_softmax(logits.t(), dim=1)).sum(1).mean()) / 2

    return ours, plain


def siglip(w):
    def ours():
        return contrastive.sigmoid_loss(*w.vectors(), w.pairs, scale=w.scale, bias=w.bias)

    def plain():
        images, texts = w.vectors()
        logits = images @ texts.t() * w.scale + w.bias
        signs = 2 * torch.eye(len(images), device=w.device) - torch.ones_like(logits)
        return -functional.logsigmoid(signs * logits).sum() / len(images)

    return ours, plain


def soft_targets(w):
    def ours():
        return contrastive.soft_target_loss(*w.vectors(), temperature=0.5)

    def plain():
        images, texts = w.vectors()
        logits = texts @ images.T / 0.5
        alike = (images @ images.T + texts @ texts.T) / 2 * 0.5
        targets = functional.softmax(alike, dim=-1).detach()
        one = -(targets * functional.log_softmax(logits, dim=-1)).sum(1)
        return ((one - (targets * functional.log_softmax(logits.T, dim=-1)).sum(1)) / 2).mean()

    return ours, plain


def transport(w):
    slow, loose = teacher.Teacher(w.towers), copy.deepcopy(w.towers)
    scale = w.scale

    def ours():
        images, texts = w.vectors()
        with torch.no_grad():
            targets = teacher.sinkhorn_targets(*w.vectors(slow.module))
        slow.follow(w.towers)
        return contrastive.info_nce(images, texts, w.pairs, scale=scale) + teacher.transport_loss(
            images, texts, targets, scale=scale
        )

    def plan(alike):
        q = torch.exp(alike / EPSILON).t()
        q /= torch.sum(q)
        for _ in range(PASSES):
            q /= torch.sum(q, dim=1, keepdim=True)
            q /= q.shape[0]
            q /= torch.sum(q, dim=0, keepdim=True)
            q /= q.shape[1]
        return (q * q.shape[1]).t()

    def plain():
        images, texts = w.vectors()
        logits = images @ texts.t() * scale
        truth = torch.arange(len(logits), device=w.device)
        loss = (functional.cross_entropy(logits, truth) + functional.cross_entropy(logits.t(), truth)) / 2
        with torch.no_grad():
            a, b = w.vectors(loose)
            first = plan(a @ a.t() + b @ b.t() + a @ b.t())
            second = plan(a @ a.t() + b @ b.t() + b @ a.t())
            for mine, theirs in zip(loose.parameters(), w.towers.parameters(), strict=True):
                mine.data = mine.data * 0.999 + theirs.data * (1 - 0.999)
        again = images @ texts.t() * scale
        one = functional.kl_div(functional.log_softmax(again, dim=-1), first, reduction="batchmean")
        two = functional.kl_div(functional.log_softmax(again.t(), dim=-1), second, reduction="batchmean")
        return loss + (one + two) / 2

    return ours, plain


def queue(w):
    held = momentum.Queue(w.args.queue, w.args.dim, device=w.device)
    held.put(momentum.Paired(*w.queue))
    slow = copy.deepcopy(w.towers)
    rows = [one.t().clone() for one in w.queue]
    at = [0]

    def ours():
        online = momentum.Paired(*w.vectors())
        with torch.no_grad():
            fresh = momentum.Paired(*w.vectors(slow))
        found = momentum.itc_with_queue(online, fresh, held.vectors, temperature=1 / w.scale, alpha=0.4)
        held.put(fresh)
        return found.loss

    def plain():
        images, texts = w.vectors()
        with torch.no_grad():
            a, b = w.vectors(slow)
            every_image = torch.cat([a.t(), rows[0].clone().detach()], dim=1)
            every_text = torch.cat([b.t(), rows[1].clone().detach()], dim=1)
            to_text, to_image = a @ every_text * w.scale, b @ every_image * w.scale
            truth = torch.zeros(to_text.size()).to(w.device)
            truth.fill_diagonal_(1)
            first = 0.4 * functional.softmax(to_text, dim=1) + 0.6 * truth
            second = 0.4 * functional.softmax(to_image, dim=1) + 0.6 * truth
        one = -torch.sum(functional.log_softmax(images @ every_text * w.scale, dim=1) * first, dim=1).mean()
        two = -torch.sum(functional.log_softmax(texts @ every_image * w.scale, dim=1) * second, dim=1).mean()
        for row, new in zip(rows, (a, b), strict=True):
            row[:, at[0] : at[0] + len(new)] = new.T
        at[0] = (at[0] + len(a)) % w.args.queue
        return (one + two) / 2

    return ours, plain


def negatives(w):
    """Image-text matching by one linear layer over wrong pairs drawn by likeness, equal texts left out."""
    draws = [torch.Generator(device=w.device) for _ in range(2)]

    def ours():
        images, texts = w.vectors()
        logits = (w.scale * images @ texts.T).detach()
        wrong = [
            momentum.draw_negatives(momentum.negative_weights(one, w.shared), draws[0].manual_seed(5))
            for one in (logits.T, logits)
        ]
        pairs = momentum.matching_pairs(*wrong)
        said = w.head(torch.cat([images[pairs.images], texts[pairs.texts]], dim=1))
        return momentum.distilled_cross_entropy(said, pairs.labels)

    def plain():
        images, texts = w.vectors()
        with torch.no_grad():
            logits = w.scale * images @ texts.t()
            first, second = functional.softmax(logits, dim=1), functional.softmax(logits.t(), dim=1)
            first.masked_fill_(w.shared, 0)
            second.masked_fill_(w.shared, 0)
        wrong_images, wrong_texts = [], []
        draws[1].manual_seed(5)
        for row in range(len(images)):
            wrong_images.append(images[torch.multinomial(second[row], 1, generator=draws[1]).item()])
        draws[1].manual_seed(5)
        for row in range(len(images)):
            wrong_texts.append(texts[torch.multinomial(first[row], 1, generator=draws[1]).item()])
        every_image = torch.cat([images, torch.stack(wrong_images), images])
        every_text = torch.cat([texts, texts, torch.stack(wrong_texts)])
        said = w.head(torch.cat([every_image, every_text], dim=1))
        labels = torch.cat([torch.ones(len(images)), torch.zeros(2 * len(images))]).long().to(w.device)
        return functional.cross_entropy(said, labels)

    return ours, plain


def words(w):
    def ours():
        logits = w.words(w.hidden)
        return momentum.distilled_cross_entropy(logits, w.said, teacher_logits=w.taught, alpha=0.4)

    def plain():
        logits = w.words(w.hidden)
        soft = functional.softmax(w.taught, dim=-1)
        hard = functional.cross_entropy(logits.view(-1, logits.shape[-1]), w.said.view(-1))
        taught = -torch.sum(functional.log_softmax(logits, dim=-1) * soft, dim=-1)
        return 0.6 * hard + 0.4 * taught[w.said != -100].mean()

    return ours, plain


def classes(w):
    def ours():
        return supervised.class_loss(w.vectors()[0], w.classes, w.labels, scale=w.scale)

    def plain():
        logits = w.scale * w.vectors()[0] @ w.classes.t()
        known = ~torch.isnan(w.labels)
        return functional.binary_cross_entropy_with_logits(logits[known], w.labels[known])

    return ours, plain


def finding_sets(w):
    def ours():
        return supervised.finding_contrast(w.vectors()[0], w.findings, scale=w.scale)

    def plain():
        vectors = w.vectors()[0]
        right = (w.findings[:, None] == w.findings[None]).all(2).float()
        others = 1 - torch.eye(len(vectors), device=w.device)
        right = right * others
        logits = w.scale * vectors @ vectors.t()
        logits = logits - logits.max(dim=1, keepdim=True)[0].detach()
        logs = logits - torch.log((torch.exp(logits) * others).sum(1, keepdim=True))
        some = right.sum(1) > 0
        return -((right * logs).sum(1)[some] / right.sum(1)[some]).mean()

    return ours, plain


CONTENDERS = {
    "InfoNCE, one text an image": clip,
    "InfoNCE, shared positives": shared_positives,
    "sigmoid (SigLIP)": siglip,
    "soft targets (MedCLIP)": soft_targets,
    "teacher with Sinkhorn targets (TxtRayAlign)": transport,
    "contrast with queue (ALBEF)": queue,
    "hard negatives of a batch (ALBEF)": negatives,
    "masked words, distilled (ALBEF)": words,
    "classes (after X-TRA)": classes,
    "contrast over finding sets (after X-TRA)": finding_sets,
}


# --- measuring ------------------------------------------------------------


def clear(world):
    learnt = (*world.towers.parameters(), *world.words.parameters(), *world.head.parameters())
    for one in (*learnt, world.classes, world.scale, world.bias):
        one.grad = None


def step(make, world):
    clear(world)
    loss = make()
    loss.backward()
    if world.device.type == "cuda":
        torch.cuda.synchronize()
    return float(loss.detach())


def seconds(make, world):
    """Wall and processor seconds of a step; the second is the steadier one on a busy machine."""
    wall, processor = time.perf_counter(), time.process_time()
    step(make, world)
    return time.perf_counter() - wall, time.process_time() - processor


def peak(make, world):
    """MiB a step holds at most beyond what it found."""
    clear(world)
    if world.device.type == "cuda":
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        step(make, world)
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        step(make, world)
    events = [one for one in record.profiler.kineto_results.events() if one.name() == "[memory]"]
    held = most = 0
    for event in sorted(events, key=lambda one: one.start_ns()):
        held += event.nbytes()
        most = max(most, held)
    return most / 2**20


def compare(name, args):
    world = World(args)
    ours, plain = CONTENDERS[name](world)
    losses = step(ours, world), step(plain, world)
    if abs(losses[0] - losses[1]) > 1e-4 * max(1.0, abs(losses[1])):
        raise SystemExit(f"{name}: ours gives {losses[0]}, plain {losses[1]}")
    memory = {who: round(peak(make, world), 3) for who, make in (("ours", ours), ("plain", plain))}
    ratios, times = [], []
    for _ in range(args.rounds):
        taken = {"ours": [0.0, 0.0], "plain": [0.0, 0.0]}
        for turn in range(args.steps):
            order = (("ours", ours), ("plain", plain))
            for who, make in order if turn % 2 else order[::-1]:
                for at, value in enumerate(seconds(make, world)):
                    taken[who][at] += value
        ratios.append([taken["plain"][at] / taken["ours"][at] for at in (0, 1)])
        times.append({who: 1000 * taken[who][0] / args.steps for who in taken})
    speed, processor = (statistics.median(row[at] for row in ratios) for at in (0, 1))
    share = memory["ours"] / max(memory["plain"], 1e-9)
    return {
        "objective": name,
        "loss": round(losses[0], 5),
        "step_ms": {who: round(statistics.median(row[who] for row in times), 3) for who in times[0]},
        "speed": round(speed, 3),
        "speed_rounds": [round(row[0], 3) for row in ratios],
        "speed_by_processor_time": round(processor, 3),
        "peak_mib": memory,
        "memory": round(share, 3),
        "holds": bool(speed >= SPEED and share <= MEMORY + 1e-3),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    sizes = {
        "batch": 256,
        "width": 512,
        "dim": 256,
        "queue": 8192,
        "vocabulary": 8000,
        "rounds": 5,
        "steps": 20,
    }
    for name, default in sizes.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--only", default="", help="part of an objective's name")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    if args.queue % args.batch:
        parser.error("plain queues want a size that is a multiple of the batch")
    results = [compare(name, args) for name in CONTENDERS if args.only in name]
    device = torch.cuda.get_device_name() if args.device.startswith("cuda") else "cpu"
    found = {
        "title": "Objectives: a step beside the plain way of writing it, on random features",
        "machine": {
            **machine(),
            "torch": torch.__version__,
            "device": device,
            "threads": torch.get_num_threads(),
        },
        "sizes": {name: getattr(args, name) for name in sizes},
        "wanted": {"speed": f">= {SPEED}", "memory": f"<= {MEMORY}"},
        "results": results,
    }
    text = json.dumps(found, indent=2) + "\n"
    if args.out is not None:
        args.out.write_text(text)
    print(text, end="")


if __name__ == "__main__":
    main()
