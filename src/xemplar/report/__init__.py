"""Report text -> sections -> sentences; which compare with a prior, which are boilerplate, which language.

Knows how radiology reports are laid out and punctuated. Knows nothing of findings, corpora or files, and
never changes a text: sections and sentences are offsets into what was given.
"""

from xemplar.report.boilerplate import points_elsewhere
from xemplar.report.keys import normalise, text_key
from xemplar.report.language import is_english
from xemplar.report.priors import compares_with_prior
from xemplar.report.sections import UNNAMED, Section, section_texts, split_sections
from xemplar.report.sentences import sentences, split_sentences

__all__ = [
    "UNNAMED",
    "Section",
    "compares_with_prior",
    "is_english",
    "normalise",
    "points_elsewhere",
    "section_texts",
    "sentences",
    "split_sections",
    "split_sentences",
    "text_key",
]
