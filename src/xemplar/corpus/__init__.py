"""The corpus folder: write, open, check, split, card.

Studies with salted keys, distinct sentences, views and packed previews, in append-only segments.
"""

from xemplar.corpus.reader import Corpus, describe_part
from xemplar.corpus.settings import IngestSettings
from xemplar.corpus.writer import IngestSummary, ingest

__all__ = ["Corpus", "IngestSettings", "IngestSummary", "describe_part", "ingest"]
