"""One film's vector and beliefs -> the lines of its draft.

Knows an index's sentences; what they are weighed by, and how they are chosen, is next door.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from xemplar.assembly import Style
from xemplar.corpus import Corpus
from xemplar.drafting.beliefs import Beliefs, Limits
from xemplar.drafting.composition.believed import Believed
from xemplar.drafting.composition.gathered import Composed, Gathered, Quoted
from xemplar.drafting.composition.shelf import Shelf
from xemplar.drafting.left_out import LeftOut
from xemplar.index import Index
from xemplar.records import Vectors
from xemplar.retrieval import Leave


class Composer:
    """Composes the lines of drafts from one index's sentences, in one style."""

    def __init__(self, corpus: Corpus, index: Index, *, style: Style = "findings") -> None:
        self.corpus, self.index, self.style = corpus, index, style
        by_id = {sentence.sentence_id: sentence for sentence in corpus.sentences}
        items = index.items["sentence"]
        # Of their studies those alone that the index holds: no other counts for how common a word is.
        self.sentences = tuple(
            replace(by_id[name], study_ids=studies)
            for name, studies in zip(items.ids, items.study_ids, strict=True)
        )
        self.left_out = LeftOut(corpus, items)

    @cached_property
    def shelf(self) -> Shelf:
        """What may be quoted; laid out when it is first needed."""
        return Shelf(self.sentences)

    def compose(
        self,
        vector: Vectors,
        beliefs: Beliefs,
        limits: Limits,
        *,
        leave: Leave,
        prior: Beliefs | None = None,
    ) -> Composed:
        """The draft of a film with this vector (dim,), of length 1.

        `prior` are the beliefs of an earlier film of the same patient; without them nothing that compares
        is quoted.
        """
        return self.gather(vector, beliefs, leave=leave, prior=prior).compose(limits)

    def gather(
        self,
        vector: Vectors,
        beliefs: Beliefs,
        *,
        leave: Leave,
        prior: Beliefs | None = None,
        cosines: NDArray[np.float32] | None = None,
    ) -> Gathered:
        """Everything that may be quoted, weighed; to compose from under as many limits as wanted.

        `cosines` (sentences,) are the sentences' with the vector, where somebody has them already.
        """
        if cosines is None:
            cosines = np.asarray(self.index.items["sentence"].vectors) @ vector
        quoted, similar = Quoted(self.shelf, self.left_out, self.style), np.asarray(cosines, np.float64)
        return Gathered(quoted, Believed(beliefs, prior), similar=similar, gone=self.left_out.of(leave))
