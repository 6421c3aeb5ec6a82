"""The corpus folder: write, open, check, split, card.

Studies with salted keys, distinct sentences, views and packed previews, in append-only segments.
"""

from xemplar.corpus.check import Checked, check_corpus
from xemplar.corpus.reader import Corpus, describe_part
from xemplar.corpus.settings import IngestSettings
from xemplar.corpus.writer import IngestSummary, ingest

__all__ = [
    "Checked",
    "Corpus",
    "IngestSettings",
    "IngestSummary",
    "check_corpus",
    "describe_part",
    "ingest",
]
