"""How long a draft takes, from an uncompressed DICOM file, over an archive of 100,000 sentences.

    OMP_NUM_THREADS=2 python benchmarks/draft_speed.py --work DIR --out docs/results

The archive: a few hundred drawn studies with films, which calibrate it, and others made in memory, whose
sentences are drawn ones introduced in other words or put together in twos until so many differ. The model is
the recipe's `small` size (ResNet18 at 224 px), the matcher X-REM's (ViT-S/16, 2 fusion layers); their
weights, the vectors of texts, images beyond the drawn ones and the matcher's text states are random: what
they hold doesn't change what a draft costs, except for how many lines it has, which is told.
Prints and writes one JSON object: milliseconds and shares by stage; and the limit, which is what the
networks' operations take at the rate at which this machine multiplies two large matrices, and the index's
vectors at the rate at which it reads them. What is prepared is kept in DIR.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import os
import resource
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from machine import drawn, machine
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from torch.utils.flop_counter import FlopCounterMode

from xemplar.archive import Archive, calibrate
from xemplar.assembly import Assembly
from xemplar.classify.fitted import open_fitted
from xemplar.contracts import Stages
from xemplar.corpus import Corpus, IngestSettings, ingest
from xemplar.drafting.calibration import open_calibration, open_parts
from xemplar.drafting.gate.fitted import open_gate
from xemplar.drafting.matched import CANDIDATES
from xemplar.images import mark_dataset, preview
from xemplar.index import Index, build_index, fitted_to, open_index
from xemplar.models.checkpoint import TorchEncoder
from xemplar.models.dual import DualEncoder
from xemplar.models.linear import LinearSpace, WithLinear
from xemplar.models.matcher import MatcherNet
from xemplar.models.matching import PreparedTexts, TorchMatcher
from xemplar.models.tokenizer import train_wordpiece
from xemplar.records import Claim, Kind, Sentence, Study
from xemplar.sources import phantom
from xemplar.training.recipe import load_recipe

SENTENCES, FILMED, A_REPORT, IMAGES_A_STUDY = 100_000, 240, 8, 4
SIZE = (3056, 2544)
"""Of a film: rows and columns of a large detector, 12 bits in 16."""
OPENINGS = (
    "On this film, ", "Currently, ", "At this time, ", "On the present study, ", "In this view, ",
    "On today's film, ", "Overall, ", "As shown, ", "On the frontal view, ", "Of note, ",
)  # fmt: skip


class Timer:
    """Processor time of each stage itself, without the stages it calls: other work doesn't lengthen it."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}
        self._inner = [0.0]

    def wrap(self, owner: object, name: str, stage: str) -> None:
        """Time a method under the name of a stage."""
        called = getattr(owner, name)

        def timed(*args, **more):
            began = time.process_time()
            self._inner.append(0.0)
            try:
                return called(*args, **more)
            finally:
                whole = time.process_time() - began
                own = whole - self._inner.pop()
                self._inner[-1] += whole
                self.spent[stage] = self.spent.get(stage, 0.0) + own

        setattr(owner, name, timed)


class RandomTexts:
    """A real image side beside texts whose vectors are drawn by their letters."""

    def __init__(self, encoder: WithLinear, dim: int) -> None:
        self.encoder, self.dim = encoder, dim
        self.fingerprint, self.preview, self.domain = "random texts", encoder.preview, encoder.domain

    def encode_images(self, images):
        """Previews -> (n, dim)."""
        return self.encoder.encode_images(images)

    def encode_texts(self, texts):
        """Texts -> (n, dim), of each the same again."""
        seeds = [int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") for text in texts]
        return unit(np.stack([np.random.default_rng(seed).standard_normal(self.dim) for seed in seeds]))


def unit(rows: np.ndarray) -> np.ndarray:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def varied(sentences: list[Sentence]) -> Iterator[tuple[str, tuple[Claim, ...]]]:
    """Sentences that all differ, and what they claim: in other words first, then in twos."""
    for opening in OPENINGS:
        for one in sentences:
            yield opening + one.text[0].lower() + one.text[1:], moved(one.claims, len(opening))
    draw = np.random.default_rng(3)
    while True:
        one, two = (sentences[at] for at in draw.integers(len(sentences), size=2))
        first = one.text.rstrip(".") + ", and "
        yield first + two.text[0].lower() + two.text[1:], (*one.claims, *moved(two.claims, len(first)))


def moved(claims: tuple[Claim, ...], by: int) -> tuple[Claim, ...]:
    return tuple(dataclasses.replace(one, span=(one.span[0] + by, one.span[1] + by)) for one in claims)


def drawn_corpus(folder: Path) -> Corpus:
    settings = IngestSettings(
        domain="synthetic", texts="reports", source="phantom", fractions=(0.4, 0.6, 0.0)
    )
    if not (folder / "corpus.json").exists():
        ingest(phantom.studies(FILMED, seed=1), folder, settings, key_salt=b"speed")
    return Corpus.open(folder)


def enlarge(corpus: Corpus, index: Index, count: int) -> None:
    """Sentences in memory until the index holds `count`, with the studies that wrote them."""
    drawn_ones = [one for one in corpus.sentences if one.claims and not one.compares_with_prior]
    wanted = count - len(index.items["sentence"])
    told = dict(islice(varied(drawn_ones), 2 * count))
    pairs = list(told.items())[:wanted]
    studies, sentences = [], []
    for number, start in enumerate(range(0, len(pairs), A_REPORT)):
        part, name = pairs[start : start + A_REPORT], f"more-{number}"
        claims = tuple(claim for _, made in part for claim in made)
        text = " ".join(words for words, _ in part)
        studies.append(Study(name, name, "synthetic", findings=text, claims=claims, split="train"))
        sentences += [
            Sentence(f"more-{start + at}", words, (name,), made) for at, (words, made) in enumerate(part)
        ]
    corpus.__dict__["studies"] = (*corpus.studies, *studies)
    corpus.__dict__["sentences"] = (*corpus.sentences, *sentences)
    corpus.__dict__["by_id"] = {study.study_id: study for study in corpus.studies}
    names = [study.study_id for study in studies]
    _add(index, "sentence", [(one.sentence_id, one.study_ids) for one in sentences])
    _add(index, "report", [(name, (name,)) for name in names])
    _add(index, "image", [(f"{name}-{view}", (name,)) for name in names for view in range(IMAGES_A_STUDY)])


def _add(index: Index, kind: Kind, rows: list[tuple[str, tuple[str, ...]]]) -> None:
    """Items of random vectors."""
    items, draw = index.items[kind], np.random.default_rng(2)
    vectors = unit(draw.standard_normal((len(rows), items.vectors.shape[1]), np.float32))
    items.engine.add(np.arange(len(items), len(items) + len(rows), dtype=np.int64), vectors)
    index.items[kind] = dataclasses.replace(
        items, ids=(*items.ids, *(name for name, _ in rows)),
        study_ids=(*items.study_ids, *(ids for _, ids in rows)),
        vectors=np.concatenate([np.asarray(items.vectors), vectors]),
    )  # fmt: skip


def models(corpus: Corpus) -> tuple[RandomTexts, TorchMatcher]:
    torch.manual_seed(0)
    draw = np.random.default_rng(0)
    texts = [sentence.text for sentence in corpus.sentences[:20_000]]
    tokenizer = train_wordpiece(texts, 2000)
    preview_is = corpus.settings.preview.fingerprint
    facts = {"domain": "synthetic", "preview_fingerprint": preview_is, "files": {}}
    recipe = load_recipe("xemplar", "small")[0]
    network = TorchEncoder(DualEncoder(recipe.model), tokenizer, facts)
    weights = {
        "mean": np.zeros(1024), "scale": np.ones(1024), "slope": draw.standard_normal((128, 1024)),
        "start": np.zeros(128), "idf": np.ones(1), "latent": np.ones((128, 1)),
        "image_centre": np.zeros(128), "text_centre": np.zeros(128),
    }  # fmt: skip
    space = LinearSpace(32, ("a",), {name: np.asarray(value, np.float32) for name, value in weights.items()})
    both = WithLinear(network, space, {"weight": 0.5, "files": {}})
    net = MatcherNet(load_recipe("xrem", "small")[0].matcher)
    return RandomTexts(both, network.dim + 129), TorchMatcher(net, tokenizer, facts)


def states_of(matcher: TorchMatcher, texts: list[str]) -> PreparedTexts:
    """Text states as many as the texts have tokens, their numbers drawn."""
    cut = matcher.tokenizer(texts, truncation=True, max_length=matcher.net.config.text.max_tokens)
    offsets = np.concatenate([[0], np.cumsum([len(ids) for ids in cut["input_ids"]])]).astype(np.int64)
    block = np.random.default_rng(4).standard_normal((4096, matcher.net.config.text.width), np.float32)
    states = np.resize(block, (int(offsets[-1]), block.shape[1]))
    return PreparedTexts(states, offsets, matcher.fingerprint)


def write_films(folder: Path, count: int) -> list[Path]:
    """Uncompressed DICOM files of drawn films that the archive has not seen."""
    import cv2

    folder.mkdir(exist_ok=True)
    paths = []
    for number, arrival in enumerate(islice(phantom.studies(count, seed=99), count)):
        path = folder / f"film-{number:02}.dcm"
        paths.append(path)
        if path.exists():
            continue
        drawn_film = preview.read_preview(arrival.images[0], preview.PreviewSpec(size=1024)).image
        large = cv2.resize(drawn_film, SIZE[::-1], interpolation=cv2.INTER_CUBIC)
        noise = np.random.default_rng(number).normal(0, 12, SIZE)
        pixels = np.clip(large * 4000 + noise, 0, 4095).astype("<u2")
        dataset = Dataset()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        dataset.Modality, dataset.BodyPartExamined, dataset.ViewPosition = "DX", "CHEST", "PA"
        dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = *SIZE, 1
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
        dataset.PixelRepresentation, dataset.PhotometricInterpretation = 0, "MONOCHROME2"
        dataset.PixelData = pixels.tobytes()
        dataset["PixelData"].VR = "OW"
        mark_dataset(dataset, "synthetic")
        dataset.save_as(path, enforce_file_format=True)
    return paths


def prepared(work: Path, count: int) -> Archive:
    corpus = drawn_corpus(work / "corpus")
    encoder, matcher = models(corpus)
    if not (work / "index" / "index.json").exists():
        build_index(corpus, encoder, work / "index")
    index = open_index(work / "index", corpus, encoder)
    enlarge(corpus, index, count)
    archive = Archive(corpus, encoder, index, stages=Stages(Assembly(), matcher=matcher))
    ids = index.items["sentence"].ids
    texts = {sentence.sentence_id: sentence.text for sentence in corpus.sentences}
    matched = archive.evidence._matched
    matched.__dict__["_states"] = states_of(matcher, [texts[one] for one in ids])
    calibrated(archive, work / "calibration")
    return archive


def calibrated(archive: Archive, folder: Path) -> None:
    """Fit on the drawn films, and open what was fitted: gate, classifier, probabilities, as a served archive.

    The matcher's margins are drawn, since theirs would say as little. Nothing is promised: of so few
    patients nothing could be, and no line would be composed.
    """
    index = fitted_to(archive.index)
    if not (folder / "calibration.json").exists():
        matched, draw = archive.evidence._matched, np.random.default_rng(5)
        matched.margins = lambda images, similar, sides: draw.standard_normal(len(sides)).astype(np.float32)
        calibrate(archive, folder, promise=None)
        del matched.margins
    parts = open_parts(folder)
    archive.classify_by(open_fitted(parts, index=index))
    archive.gatekeeper.gate = open_gate(parts, index=index)
    archive.calibration = open_calibration(parts, index=index, names=archive.evidence.names)


def timed(archive: Archive, timer: Timer) -> None:
    """Name the stages."""
    timer.wrap(preview, "_decode", "read DICOM")
    timer.wrap(archive, "load_film", "preview")
    timer.wrap(archive.encoder, "encode_images", "encode")
    timer.wrap(archive, "_gates", "gate")
    for items in archive.index.items.values():
        timer.wrap(items.engine, "search", "search")
    timer.wrap(archive.evidence, "_similar", "search")
    timer.wrap(archive.evidence._matched, "margins", "rerank")
    timer.wrap(archive.evidence, "features", "evidence")
    timer.wrap(archive.composer, "compose", "compose")
    if hasattr(archive.composer, "gather"):
        timer.wrap(archive.composer, "gather", "compose")
    timer.wrap(archive, "draft", "rest")


def limit(archive: Archive, film: Path) -> dict:
    """Operations of one draft's networks, bytes of vectors it reads, and how long both take here at least."""
    with FlopCounterMode(display=False) as counter:
        archive.draft(archive.load_film(film))
    operations = counter.get_total_flops()
    read = sum(items.vectors.nbytes for items in archive.index.items.values())
    square = torch.randn(1536, 1536)
    sentences = np.asarray(archive.index.items["sentence"].vectors)
    rate = 2 * 1536**3 / fastest(lambda: square @ square)
    bandwidth = sentences.nbytes / fastest(lambda: sentences @ sentences[0])
    return {
        "network_operations": operations,
        "vector_bytes": read,
        "operations_a_second": round(rate),
        "bytes_a_second": round(bandwidth),
        "processor_ms": round(1000 * (operations / rate + read / bandwidth), 1),
    }


def fastest(work: Callable[[], object]) -> float:
    """Seconds of processor time, the least of five."""
    took = []
    for _ in range(6):
        began = time.process_time()
        work()
        took.append(time.process_time() - began)
    return min(took[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sentences", type=int, default=SENTENCES)
    parser.add_argument("--drafts", type=int, default=100)
    parser.add_argument("--warm", type=int, default=10)
    asked = parser.parse_args()
    asked.work.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    written = write_films(asked.work / "films", 25)
    archive = prepared(asked.work, asked.sentences)
    # One that the gate stops costs less than a draft, and would make them look faster than they are.
    films = [film for film in written if archive.draft(archive.load_film(film)).gate is None]
    least = limit(archive, films[0])
    timer = Timer()
    timed(archive, timer)
    whole, processor, stages, lines = [], [], [], []
    for number in range(-asked.warm, asked.drafts):
        timer.spent.clear()
        began, worked = time.perf_counter(), time.process_time()
        made = archive.draft(archive.load_film(films[number % len(films)]))
        took = time.perf_counter() - began
        if number >= 0:
            whole.append(took)
            processor.append(time.process_time() - worked)
            stages.append(dict(timer.spent))
            lines.append(len(made.lines))
    names = sorted({name for one in stages for name in one})
    table = {name: np.array([one.get(name, 0.0) for one in stages]) for name in names}
    total = float(np.sum(processor))
    result = {
        "measured": "from an uncompressed DICOM file to a draft",
        **drawn(),
        "sentences": len(archive.index.items["sentence"]),
        "reports": len(archive.index.items["report"]),
        "images": len(archive.index.items["image"]),
        "dim": int(archive.index.items["sentence"].vectors.shape[1]),
        "film": f"{SIZE[0]} x {SIZE[1]}, 12 bits in 16",
        "drafts": len(whole),
        "films": len(films),
        "films_stopped_at_the_gate": len(written) - len(films),
        "candidates_reranked": CANDIDATES,
        "lines_a_draft": float(np.mean(lines)),
        "median_ms": round(1000 * float(np.median(whole)), 1),
        "p95_ms": round(1000 * float(np.quantile(whole, 0.95)), 1),
        "bar_p95_ms": 400,
        "processor_median_ms": round(1000 * float(np.median(processor)), 1),
        "processor_p95_ms": round(1000 * float(np.quantile(processor, 0.95)), 1),
        "stages_processor": {
            name: {
                "median_ms": round(1000 * float(np.median(values)), 1),
                "p95_ms": round(1000 * float(np.quantile(values, 0.95)), 1),
                "share": round(float(values.sum()) / total, 3),
            }
            for name, values in table.items()
        },
        "limit": least,
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "threads": torch.get_num_threads(),
        "machine": machine(),
    }
    print(json.dumps(result, indent=1))
    (asked.out / "draft_speed.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
