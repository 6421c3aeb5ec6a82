"""Films of grey squares that tell their findings, and an encoder that sees them: no network, no training."""

import numpy as np

from xemplar.contracts import Arrival
from xemplar.corpus import Corpus, IngestSettings, ingest
from xemplar.findings import FINDINGS
from xemplar.images import PreviewSpec
from xemplar.records import Study, View

KNOWN = ("Edema", "Pleural Effusion")
SAYS = {
    "Edema": ("Mild pulmonary edema.", "No pulmonary edema."),
    "Pleural Effusion": ("Small left pleural effusion.", "No pleural effusion."),
    "Pneumothorax": ("Left pneumothorax.", "No pneumothorax."),
}
DIM = 12


class Square:
    """A film of three grey squares: one for each of what it may show, and one that is its own."""

    def __init__(self, has, number):
        self.has, self.number = has, number

    def draw(self):
        pixels = np.full((64, 64), 30, np.uint8)
        noise = np.random.default_rng(self.number).integers(-30, 30, 3)
        pixels[4:28, 4:28] = 60 + 120 * self.has[0] + noise[0]
        pixels[4:28, 36:60] = 60 + 120 * self.has[1] + noise[1]
        pixels[36:60, 4:28] = 120 + noise[2]
        return pixels


class Seeing:
    """Squares' greys as vectors; a text by whether it states or denies what a square shows."""

    fingerprint, preview, domain = "seeing", None, "synthetic"

    def encode_images(self, images):
        greys = [
            [image[8:24, 8:24].mean(), image[8:24, 40:56].mean(), image[40:56, 8:24].mean()]
            for image in images
        ]
        return _unit(np.pad(np.array(greys) - 0.45, ((0, 0), (0, DIM - 3)), constant_values=0.2))

    def encode_texts(self, texts):
        rows = []
        for text in texts:
            row = np.full(DIM, 0.2)
            sign = -0.3 if text.lower().startswith(("no ", "there is no")) else 0.3
            row[:3] = [
                sign * ("edema" in text.lower()),
                sign * ("effusion" in text.lower()),
                0.01 * len(text),
            ]
            rows.append(row)
        return _unit(np.array(rows))


def _unit(rows):
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def arrivals(count=120):
    """Two studies a patient; a third has an edema, a third an effusion, three a pneumothorax."""
    rng = np.random.default_rng(3)
    for number in range(count):
        has = rng.random(2) < 1 / 3
        said = [SAYS[name][0 if there else 1] for name, there in zip(KNOWN, has, strict=True)]
        said.append(SAYS["Pneumothorax"][0 if number % 40 == 5 else 1])
        patient = f"p{number // 2}"
        study = Study(
            study_id=f"s{number}", patient_id=patient, domain="synthetic", findings=" ".join(said),
            views=(View(f"v{number}"),), language="en",
        )  # fmt: skip
        yield Arrival(study, (Square(has.astype(int), number),), split_key=patient)


def corpus_of(folder, given=None, **settings):
    values = {
        "domain": "synthetic", "texts": "reports", "source": "t", "fractions": (0.4, 0.35, 0.25),
        "preview": PreviewSpec(size=64), **settings,
    }  # fmt: skip
    ingest(arrivals() if given is None else given, folder / "corpus", IngestSettings(**values), key_salt=b"t")
    corpus = Corpus.open(folder / "corpus")
    corpus.copies = {}  # squares are all alike; who is a near-duplicate is tested with the corpus
    return corpus


def column(name):
    return FINDINGS.index(name)
