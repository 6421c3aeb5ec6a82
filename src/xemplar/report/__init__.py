"""Report text -> sections -> sentences; which compare with a prior, which are boilerplate, which language.

Knows how radiology reports are laid out and punctuated. Knows nothing of findings, corpora or files, and
never changes a text: sections and sentences are offsets into what was given.
"""

from xemplar.report.boilerplate import is_boilerplate, points_elsewhere, stands_alone
from xemplar.report.headings import SECTION_NAMES, UNNAMED
from xemplar.report.keys import normalise, text_key
from xemplar.report.language import is_english, language_of, language_within
from xemplar.report.priors import compares_with_prior
from xemplar.report.sections import Section, section_texts, split_sections
from xemplar.report.sentences import sentences, split_sentences

__all__ = [
    "SECTION_NAMES",
    "UNNAMED",
    "Section",
    "compares_with_prior",
    "is_boilerplate",
    "is_english",
    "language_of",
    "language_within",
    "normalise",
    "points_elsewhere",
    "section_texts",
    "sentences",
    "split_sections",
    "split_sentences",
    "stands_alone",
    "text_key",
]
