"""Which sentences compare with an earlier film.

Knows words of change. Knows nothing of findings.
"""

from __future__ import annotations

import re

_IMAGE = (
    r"(?:stud(?:y|ies)|exams?|examinations?|films?|radiographs?|x-?rays?|images?|imaging|ct|scans?"
    r"|comparisons?)"
)
_NO_PRIOR = re.compile(
    rf"""
    \bno(?:ne)?\s+(?:\w+\s+){{0,3}}?
        (?:comparisons?|(?:prior|previous)\s+(?:\w+\s+)?{_IMAGE})\b[^.;,]*
    | \b(?:comparisons?|priors?|(?:prior|previous)\s+(?:\w+\s+)?{_IMAGE})\s+(?:\w+\s+){{0,2}}?
        (?:none|(?:not|un)\s*available|recommended|suggested)\b
    | \bcomparison\s*:\s*none\b
    | \bnone\s+available\b[^.;]*
    | \bcomparison\s+with\s+(?:any\s+)?(?:prior|previous|outside|old)\b
        [^.;]*\b(?:recommend|suggest|help|useful)\w*
    """,
    re.IGNORECASE | re.VERBOSE,
)
_PRIOR = re.compile(
    rf"""
    \b(?:unchanged|interval(?:ly)?|stable|stability|newly|new(?!\s+york)|previously|again
        |re-?demonstrat\w+|worsen\w*|worse|improv(?:ed|ing|ement)|persist(?:s|ent|ing|ently)?
        |no\s+longer|resol(?:ved|ving|ution)|progress(?:ed|ion|ive|ively|ing)|regress\w+|enlarging
        |comparison|compar(?:ed|ing|able)|similar|remains?|continues?|still|heretofore)\b
    | \b(?:no|not|without)\s+(?:\w+\s+){{0,3}}?chang(?:e|ed)\b
    | \b(?:since|from|than|to|with|on|the)\s+(?:the\s+)?(?:\w+\s+)?
        (?:prior|previous|last|earlier|preceding)\b
    | \b(?:prior|previous|last|earlier)\s+(?:\w+\s+){{0,2}}?{_IMAGE}\b
    | \bsince\s+(?:the\s+)?(?:\d|january|february|march|april|may|june|july|august|september|october
        |november|december|yesterday|study|exam)
    | \b(?:increas|decreas|diminish|reduc|enlarg)(?:ed|es|ing|e)\s+(?:\w+\s+){{0,3}}?
        (?:since|from|compared|than|interval|in\s+size)\b
    | \b(?:has|have|had)\s+(?:\w+\s+){{0,2}}?
        (?:increased|decreased|enlarged|diminished|cleared|grown|developed|changed)\b
    | \b(?:larger|smaller|greater|less|more)\s+(?:\w+\s+){{0,2}}?than\s+(?:on|in|before|prior|previous)
    """,
    re.IGNORECASE | re.VERBOSE,
)


def compares_with_prior(sentence: str) -> bool:
    """Whether a sentence speaks of change or sameness against an earlier film.

    A statement that there is nothing to compare with is not a comparison.
    """
    return _PRIOR.search(_NO_PRIOR.sub(" ", sentence)) is not None
