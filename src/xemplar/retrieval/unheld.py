"""Words of a typed query that look as if they filtered, and by which no report is held to anything.

Knows how ages, dates, wards and ways of taking a film are said where no filter has taken them, and a side or
a place that is no finding's. A search ranks by such words; a cohort that did would only seem narrower.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from xemplar.errors import XemplarError
from xemplar.retrieval.asked import Asked
from xemplar.retrieval.details import only_details
from xemplar.retrieval.filters import Filter

_MONTHS = "january|february|april|june|july|august|september|october|november|december"
_LOOKS = {
    "an age": re.compile(
        r"\b(?:age|ages|\d0s|elderly|geriatric|seniors?|young|younger|child|children|kids?|p(?:a)?ediatrics?"
        r"|infants?|babies|baby|neonat\w+|newborns?|toddlers?|teens?|teenagers?|adolescents?|adults?"
        r"|middle-aged|\w+genarians?)\b"
    ),
    "a date": re.compile(
        rf"(?<![\w.])(?:(?:19|20)\d\d(?:[-/.]\d+)*|\d{{1,2}}[/.]\d{{1,2}}[/.]\d{{2,4}})(?![\w.])|\b(?:{_MONTHS})\b"
    ),
    "where a patient is": re.compile(r"\b(?:icu|nicu|ccu|in-?patients?|out-?patients?|emergency|ward)\b"),
    "how a film is taken": re.compile(r"\b(?:portable|supine|upright|erect|bedside)\b"),
}


def check_typed(filters: Iterable[Filter], asked: Asked, *, ranking: Sequence[str]) -> None:
    """Refuse a typed query of which a cohort would keep less than it seems to.

    `filters` are those that it says, which an archive keeps in the reading where its studies tell of them;
    `ranking` the words that no report is held to.
    """
    for one in filters:
        if one not in asked.filters:
            raise XemplarError(
                f"no study here says its {one.name}: {one} would filter nothing",
                wanted="what the studies say of themselves", remedy="leave it out",
            )  # fmt: skip
    _check_words(" ".join(ranking))


def _check_words(said: str) -> None:
    for what, looks in _LOOKS.items():
        if found := looks.search(said.lower()):
            raise XemplarError(
                f'"{found[0]}" looks like {what}, and no report can be held to it',
                wanted='a filter ("over 65", "on a lateral film") or a facet by its name (NAME=VALUE)',
                remedy="leave it out, or search: there it ranks",
            )
    if only_details(said):
        raise XemplarError(
            f'"{said}" is no finding\'s, and no report can be held to it',
            wanted='the finding beside it, as in "effusion in the right lower lobe"',
        )
