"""Small drawn archives with an encoder and a calibration made by hand: no training, the same everywhere."""

import json
from dataclasses import asdict, replace

import numpy as np

from xemplar.corpus import Corpus, IngestSettings, ingest
from xemplar.drafting.calibration import Calibration, FindingFit
from xemplar.findings import FINDINGS
from xemplar.images import PreviewSpec, model_input
from xemplar.index import fitted_to
from xemplar.sources import phantom

DRAFTED = ("Cardiomegaly", "Pleural Effusion", "Pneumothorax", "Consolidation", "Support Devices")


class Stub:
    """Pixels and letters as vectors: no training, the same everywhere; texts are remembered."""

    fingerprint, preview = "stub", None

    def __init__(self, domain="synthetic"):
        self.domain, self.texts = domain, []

    def encode_images(self, images):
        return unit(np.stack([model_input(image, 8).ravel() - 0.4 for image in images]))

    def encode_texts(self, texts):
        self.texts += texts
        counts = [np.bincount([ord(letter) % 64 for letter in text], minlength=64) for text in texts]
        return unit(np.stack(counts) - np.mean(counts))


def unit(rows):
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def by_hand(index, *, state_at=0.3, deny_at=0.2):
    """The first feature, the neighbours' votes, with thresholds that leave some undecided."""
    fit = FindingFit(
        mean=[0.0] * 3, scale=[1.0] * 3, weights=[4.0, 0.0, 0.0], intercept=-2.0,
        state_at=state_at, deny_at=deny_at, present=9,
    )  # fmt: skip
    return Calibration(
        index=fitted_to(index), studies=20, title="t",
        findings=dict.fromkeys(DRAFTED, fit), too_few={name: 0 for name in FINDINGS if name not in DRAFTED},
    )  # fmt: skip


def ingested(folder, count=14, **settings):
    """A few drawn studies under another domain or as captions."""
    given = {
        "domain": "clinical",
        "texts": "reports",
        "fractions": (1.0, 0.0, 0.0),
        **settings,
    }
    arrivals = []
    for arrival in phantom.studies(count):
        study = replace(arrival.study, domain=given["domain"], prior_id=None)
        if given["texts"] == "captions":
            caption = f"Figure {study.study_id[-2:]}. {study.impression}"
            study = replace(study, impression=caption, findings=None, labels={})
        arrivals.append(replace(arrival, study=study))
    made = IngestSettings(**given, source="t", preview=PreviewSpec(size=64))
    ingest(arrivals, folder / "corpus", made, key_salt=b"t")
    return Corpus.open(folder / "corpus")


def rows(drafts):
    return [json.dumps(asdict(draft), sort_keys=False) for draft in drafts]
