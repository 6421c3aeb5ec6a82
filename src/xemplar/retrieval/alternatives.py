"""Terms that "or" joins -> one that any of them is; what "or" and "and" leave unclear is refused.

Knows where terms stand in a part of a query, and the words between them. Knows nothing of how they were read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from xemplar.errors import XemplarError
from xemplar.retrieval.denials import DENIES
from xemplar.retrieval.details import without_open
from xemplar.retrieval.terms import Term, one_of

_OR = re.compile(r"\bor\b|\band/or\b|/", re.I)
_AND = re.compile(r"\band\b|&|\+", re.I)


def joined(terms: list[Term], text: str, at: int) -> tuple[list[Term], bool]:
    """Terms that "or" joins made one; whether the first is such. A wanted one or a denied one is refused."""
    told, groups = without_open(text.lower()), [terms[:1]] if terms else []
    links: list[str] = []
    for one, two in pairwise(terms):
        gap = told[max(one.span[1] - at, 0) : max(two.span[0] - at, 0)]
        if one.presence != "absent" and (denial := DENIES.search(gap)) is not None:
            gap = gap[: denial.start()]
        link = "" if one.span == two.span or not _OR.search(gap) else "or"
        link = link or ("and" if one.span != two.span and _AND.search(gap) else "")
        if link == "or" and "absent" in (one.presence, two.presence):
            if one.presence != two.presence:
                raise XemplarError(
                    f'either {one} or not {two}: "{" ".join(text.split())}"',
                    wanted="findings that are wanted on both sides of or",
                    remedy="ask for one after the other",
                )
            link = "and"
        links.append(link)
        if link == "or":
            groups[-1].append(two)
        else:
            groups.append([two])
    if _mixes(groups, links):
        raise XemplarError(
            f'"and" beside "or": "{" ".join(text.split())}"', wanted="brackets or a comma",
            remedy='brackets show what belongs together: "effusion (edema or pneumonia)"',
        )  # fmt: skip
    made = [one_of(group) if len(group) > 1 else group[0] for group in groups]
    return made, bool(made and made[0].any_of)


def _mixes(groups: Sequence[Sequence[Term]], links: Sequence[str]) -> bool:
    """Whether "and" joins a term to those that "or" joins, all of them wanted."""
    wanted = [one_of(group) for group in groups if group[0].presence != "absent"]
    return len(wanted) > 1 and any(one.any_of for one in wanted) and "and" in links
