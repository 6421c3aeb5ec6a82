"""Ingest's rate as a share of the bare decoders' rate, by transfer syntax, in one run, as JSON.

Peer: the same plugin's decode of the same frame to an array, and nothing else: no file is parsed, no value
windowed, nothing resized, hashed or written. Processor time, which the bar is on, is that of one process
that takes turns between the whole of ingest, from file to corpus, and the bare decode: the least of
several turns of each, for other programs only add to it. Wall time is that of two processes that take
turns between a worker's share of ingest and the bare decode. JPEG 2000 is compared with the same decode
at a lower resolution, and beside it with the full one. The bar is for syntaxes whose bare decode takes at
least `DOMINATES` ms; for the others reading and hashing a file take as long as decoding it. For each
syntax, too, films encoded from the corpus and films encoded from their files give the same vectors bit
for bit.

Usage: python benchmarks/ingest_rate.py [--films 16] [--repeats 3] [--out docs/results/ingest_rate.json]
"""

import argparse
import json
import multiprocessing
import os
import platform
import statistics
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, generate_frames

from xemplar.contracts import Arrival, Drawable
from xemplar.corpus import Corpus, IngestSettings, ingest
from xemplar.corpus.decode import _decode as worker_share
from xemplar.images import PreviewSpec, load_film
from xemplar.images.codestream import read_codestream
from xemplar.images.frames import decode_frame, decode_rle
from xemplar.models.checkpoint import TorchEncoder
from xemplar.models.config import ModelConfig
from xemplar.models.dual import DualEncoder
from xemplar.models.tokenizer import train_wordpiece
from xemplar.records import Study, View
from xemplar.sources import phantom

HEIGHT, WIDTH, BITS = 2048, 1760, 12
PRE = "1.2.840.10008.1.2."
SYNTAXES = {
    "JPEG baseline": PRE + "4.50",
    "JPEG lossless": PRE + "4.57",
    "JPEG lossless SV1": PRE + "4.70",
    "JPEG-LS lossless": PRE + "4.80",
    "JPEG-LS near-lossless": PRE + "4.81",
    "JPEG 2000 lossless": PRE + "4.90",
    "JPEG 2000": PRE + "4.91",
    "RLE": PRE + "5",
    "deflated": PRE + "1.99",
    "explicit little endian": PRE + "1",
}
WORKERS, DOMINATES, BAR, DISTINCT = 2, 20.0, 0.80, 4
SPEC = PreviewSpec()


@cache
def drawn_films():
    """The first films that the phantom draws."""
    images = (image for arrival in phantom.studies(100) for image in arrival.images)
    drawable = (image for image in images if isinstance(image, Drawable))
    return [image.draw() for image in islice(drawable, DISTINCT)]


def film_pixels(number, bits):
    """A phantom's film, enlarged, at `bits`, with the noise of a detector."""
    drawn = cv2.resize(drawn_films()[number], (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    top = (1 << bits) - 1
    noisy = drawn * np.float32(top / 255) + np.random.default_rng(number).normal(0, top / 350, drawn.shape)
    return np.clip(noisy, 0, top).astype(np.uint16 if bits > 8 else np.uint8)


def dataset(pixels, syntax, bits):
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = syntax
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1"
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    data.Rows, data.Columns, data.SamplesPerPixel = HEIGHT, WIDTH, 1
    data.PhotometricInterpretation, data.PixelRepresentation = "MONOCHROME2", 0
    data.BitsAllocated, data.BitsStored, data.HighBit = 8 * pixels.dtype.itemsize, bits, bits - 1
    data.WindowCenter, data.WindowWidth = 1 << (bits - 1), 1 << bits
    data.PixelData = pixels.tobytes()
    return data


def frame_of(name, pixels):
    """One frame compressed by the encoder of the syntax."""
    if name == "JPEG baseline":
        return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
    if name.startswith("JPEG-LS"):
        from jpeg_ls import encode_buffer

        return bytes(encode_buffer(pixels.tobytes(), HEIGHT, WIDTH, 1, BITS, 2 if "near" in name else 0, 0))
    if name.startswith("JPEG 2000"):
        from openjpeg.utils import encode_array

        ratio = {} if "lossless" in name else {"compression_ratios": [12]}
        return bytes(encode_array(pixels, bits_stored=BITS, photometric_interpretation=2, **ratio))
    from rle.utils import encode_pixel_data

    shape = {"rows": HEIGHT, "columns": WIDTH, "samples_per_pixel": 1, "number_of_frames": 1}
    return encode_pixel_data(pixels.tobytes(), bits_allocated=16, byteorder="<", **shape)


def by_gdcm(path, syntax):
    import gdcm

    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(syntax)))
    if not reader.Read():
        raise RuntimeError("gdcm doesn't read the film")
    change.SetInput(reader.GetImage())
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(path))
    if not change.Change():
        raise RuntimeError("gdcm doesn't compress the film")
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    if not writer.Write():
        raise RuntimeError("gdcm doesn't write the film")


def write_films(name, syntax, folder):
    """`DISTINCT` files of a syntax."""
    bits = 8 if name == "JPEG baseline" else BITS
    paths = []
    for number in range(DISTINCT):
        pixels, path = film_pixels(number, bits), folder / f"{syntax}-{number}.dcm"
        packed = name.startswith(("JPEG-LS", "JPEG 2000", "JPEG baseline", "RLE"))
        plain = PRE + "1" if name.startswith("JPEG lossless") else syntax
        data = dataset(pixels, plain, bits)
        if packed:
            data.PixelData = encapsulate([frame_of(name, pixels)])
        data.save_as(path, enforce_file_format=True)
        if name.startswith("JPEG lossless"):
            by_gdcm(path, syntax)
        paths.append(path)
    return paths


@cache
def frame_in(path):
    """What the bare decoder is given: the frame's bytes and, of a codestream, its header, read beforehand."""
    data = dcmread(path)
    if not data.file_meta.TransferSyntaxUID.is_encapsulated:
        return bytes(data.PixelData), None
    frame = next(generate_frames(data.PixelData, number_of_frames=1))
    rle = data.file_meta.TransferSyntaxUID == PRE + "5"
    return frame, None if rle else read_codestream(frame, "film")


def bare(path, least=SPEC.size):
    """The plugin's decode of a film's frame to an array, nothing else."""
    frame, stream = frame_in(path)
    if stream is not None:
        return int(decode_frame(stream, least, "film", luminance=False)[0][0, 0])
    if path.name.startswith(PRE + "5-"):
        return int(decode_rle(frame, (HEIGHT, WIDTH, 1), 16, "film")[0, 0])
    return int(np.frombuffer(frame, np.uint16).copy()[0])


def arrivals(paths, count):
    for number in range(count):
        view = View(f"view-{number}", path=f"films/{number}.dcm")
        study = Study(study_id=f"study-{number}", patient_id=f"p{number}", domain="synthetic", views=(view,))
        yield Arrival(study, (paths[number % len(paths)],), split_key=f"p{number}")


def settings():
    return IngestSettings(domain="synthetic", texts="reports", source="benchmark", preview=SPEC)


def whole_ingest(paths, count):
    """Ingest of `count` studies in this process, from files to a corpus."""
    with tempfile.TemporaryDirectory() as folder:
        ingest(arrivals(paths, count), Path(folder) / "corpus", settings(), key_salt=b"b")


def share(path):
    """What a worker does for a study of one film."""
    worker_share(next(arrivals([path], 1)), SPEC)
    return True


def _start():
    cv2.setNumThreads(1)


def wall(pool, paths, films, repeats):
    """Seconds a film of two processes at work: a worker's share of ingest and the bare decode, in turns."""
    taken = {"ingest": [], "bare": []}
    order = [paths[k % len(paths)] for k in range(films)]
    for turn in range(repeats + 1):
        for name, do in (("ingest", share), ("bare", bare)):
            start = time.perf_counter()
            list(pool.map(do, order))
            if turn:
                taken[name].append((time.perf_counter() - start) / films)
    return taken


def cpu(paths, films, turns):
    """Least processor milliseconds a film: the whole of ingest, a worker's share of it, the bare decode."""
    run = {
        "ingest": lambda: whole_ingest(paths, films),
        "worker": lambda: [share(paths[k % DISTINCT]) for k in range(films)],
        "bare": lambda: [bare(paths[k % DISTINCT]) for k in range(films)],
        "bare, full size": lambda: [bare(paths[k % DISTINCT], 1 << 20) for k in range(films)],
    }
    if "4.9" not in str(paths[0].name):
        del run["bare, full size"]
    taken = {name: [] for name in run}
    for turn in range(turns + 1):
        for name, do in run.items():
            start = time.process_time()
            do()
            if turn:
                taken[name].append(1000 * (time.process_time() - start) / films)
    return {name: min(values) for name, values in taken.items()}


def tiny_encoder():
    """An untrained dual encoder of fixed seed: enough to tell one preview from another."""
    import torch

    tokenizer = train_wordpiece(["No pleural effusion or pneumothorax.", "The lungs are clear."], 100)
    image = {"model_type": "resnet", "num_channels": 1, "embedding_size": 8, "hidden_sizes": [8, 8]}
    image |= {"depths": [1, 1], "layer_type": "basic"}
    words = {"model_type": "bert", "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    words |= {"intermediate_size": 32, "max_position_embeddings": 64, "vocab_size": len(tokenizer)}
    config = {
        "image": {"input_size": 224, "config": image},
        "text": {"max_tokens": 48, "config": words},
        "dim": 32,
    }
    torch.manual_seed(0)
    facts = {"domain": "synthetic", "preview_fingerprint": None, "files": {}}
    return TorchEncoder(DualEncoder(ModelConfig.model_validate(config)), tokenizer, facts)


def encodes_alike(encoder, paths):
    """Whether ingest-then-encode equals load-then-encode, bit for bit."""
    with tempfile.TemporaryDirectory() as folder:
        ingest(arrivals(paths, DISTINCT), Path(folder) / "c", settings(), workers=1, key_salt=b"b")
        corpus = Corpus.open(Path(folder) / "c")
        kept = [study.views[0] for study in corpus.studies]
        stored = [corpus.preview(view.view_id) for view in kept]
        by_hash = {film.sha256: film.image for film in (load_film(path, SPEC) for path in paths)}
        loaded = [by_hash[view.sha256] for view in kept]
        if len(kept) != DISTINCT:
            raise RuntimeError(f"{len(kept)} films of {DISTINCT} were ingested")
        return encoder.encode_images(stored).tobytes() == encoder.encode_images(loaded).tobytes()


def measured(name, syntax, pool, folder, args):
    paths = write_films(name, syntax, folder)
    times = cpu(paths, 2 * DISTINCT, args.repeats)
    walls = wall(pool, paths, args.films, args.repeats)
    ratios = [b / i for b, i in zip(walls["bare"], walls["ingest"], strict=True)]
    dominates = times["bare"] >= DOMINATES
    part = times["bare"] / times["ingest"]
    row = {
        "syntax": name,
        "uid": syntax,
        "megabytes": round(paths[0].stat().st_size / 1e6, 2),
        "cpu_ms": {key: round(value, 1) for key, value in times.items()},
        "films_a_second": {key: round(1 / min(values), 1) for key, values in walls.items()},
        "share_of_cpu": round(part, 3),
        "share_of_wall": round(statistics.median(ratios), 3),
        "share_of_wall_by_turn": [round(ratio, 3) for ratio in ratios],
        "decoding_dominates": dominates,
    }
    if "bare, full size" in times:
        row["share_of_the_full_decode"] = round(times["bare, full size"] / times["ingest"], 2)
    if dominates:
        row["holds"] = part >= BAR
    return row, paths


def machine():
    names = [
        line.split(":")[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return {
        "cpu": names[0] if names else platform.processor(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--films", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", help="part of a syntax's name")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    encoder, rows = tiny_encoder(), []
    context = multiprocessing.get_context("forkserver")
    with (
        tempfile.TemporaryDirectory() as folder,
        ProcessPoolExecutor(WORKERS, mp_context=context, initializer=_start) as pool,
    ):
        for name, syntax in SYNTAXES.items():
            if args.only and args.only not in name:
                continue
            row, paths = measured(name, syntax, pool, Path(folder), args)
            row["encodes_alike"] = encodes_alike(encoder, paths)
            rows.append(row)
            print(json.dumps(row), flush=True)
    film = {"height": HEIGHT, "width": WIDTH, "bits": BITS, "preview": SPEC.size, "domain": "synthetic"}
    result = {"machine": machine(), "film": film, "workers": WORKERS, "bar": BAR, "syntaxes": rows}
    result["dominates_from_ms"] = DOMINATES
    text = json.dumps(result, indent=1)
    if args.out:
        args.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
