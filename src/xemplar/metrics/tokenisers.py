"""Text to words, in the few ways that published wording scores were computed with.

Knows how each named program splits a text; knows nothing of any score. The choice moves a score by more
than most methods differ by, so every result carries the name of the tokeniser that it rests on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Literal, get_args

from xemplar.errors import XemplarError

TokeniserName = Literal["ptb_like", "coco_raw", "lower_split", "r2gen", "cxr_report_metric", "rouge_score"]
Tokens = tuple[str, ...]

DEFAULT: TokeniserName = "ptb_like"

_DROPPED = frozenset(("''", "'", "``", "`", ".", "?", "!", ",", ":", "-", "--", "...", ";"))
"""What coco-caption takes for punctuation; it means brackets too, but lower-cases them before it looks."""

_REWRITTEN = MappingProxyType(
    {
        "(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-", "}": "-rcb-",
        "€": "$", "£": "#", "¢": "cents", "½": "1/2", "¼": "1/4", "¾": "3/4", "\u00ad": "",
        "&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": "", "&apos;": "",
    }
)  # fmt: skip

_SHORTENED = """
    adj adm adv al ala apr ariz assn assoc attys? aug ave bancorp bhd bldg blvd bros calif capt cf cmdr
    cos? col colo comdr conn corp cpl ct dak dec dep?t det drs? elec ens esq est etc ext feb fla fri ft ga
    gen gov hon inc ind insp intl invt jan jos jr jul jun kans? ky lt ltd maj mar md messrs mfg mich minn
    mlle mme mon? mont mrs? ms msgr mt natl neb nev nov oct okla penn pfc ph plc pres prof pt[ye]s? pvt rd
    reps? rev rt sens? sept? sgt sq sr ste? supts? sys tel tenn thu thurs tues? univ vs? va vt wed wisc?
    wm wyo
"""
_SHORTENED_BEFORE_NUMBERS = "nos? figs? op pp art prop ca"
_SHORTENED_CAPITALISED = "[PL](?i:a)|I(?i:ll)|M(?i:ass|iss)|D(?i:el)|O(?i:re)|T(?i:ex)|W(?i:ash)|A(?i:rk)"


def _any_of(words: str) -> str:
    return "|".join(words.split())


_LETTER = r"[^\W\d_]"
_WORD = r"[^\W_]+"
_JOINED = rf"{_WORD}(?:[-_]{_WORD})*"
_END = r"(?![^\W_])"

_PIECE = re.compile(
    rf"""
      (?P<mark></?[A-Za-z!][^<>]*>|&(?:amp|lt|gt|quot|apos);|(?:https?://|www\.)\S+|[\w.]+@[\w.]+\w)
    | (?P<short>
        (?i:{_any_of(_SHORTENED)})\.{_END} | (?:{_SHORTENED_CAPITALISED})\.{_END}
      | (?i:{_any_of(_SHORTENED_BEFORE_NUMBERS)})\.(?=\s?\d)
      | (?:{_LETTER}\.)+{_LETTER}\.?{_END} | Ph\.D\. | {_LETTER}\.(?!{_LETTER})
      | {_LETTER}[^\W_]*(?:\.{_LETTER}[^\W_]*)+                             # "clear.no", as if a host
      | {_JOINED}\.(?=[,;:])
      )
    | (?P<parted>(?i:can(?=not)|gon(?=na)|wan(?=na)|got(?=ta)|gim(?=me)|lem(?=me)))
        (?P<rest>(?i:not|na|ta|me)){_END}
    | (?P<negated>{_LETTER}+?)(?P<nt>[nN]['\u2019][tT]){_END}
    | (?P<range>\d++(?:[.,]\d++)++[^\W_]*+(?:-[^\W_]+)+)
    | (?P<number>(?:(?<![^\W_])[-+])?(?:\d+(?:[.,:]\d+)+|(?<![^\W_])\d+{_END}(?![-/]\w)|(?:[.,:]\d+)+))
    | (?P<word>
        [A-Z]+(?:&[A-Z]+)+ | (?i:o'clock|[dl]'{_LETTER}+|'n'|'\d\ds) | \#{_LETTER}[\w]*
      | {_JOINED}(?:/{_JOINED}){{,2}} | _{{2,}} | \*{{2,}} | [?!]{{2,}}
      )
    | ['\u2019](?P<clitic>(?:[sSmMdD]|ll|LL|re|RE|ve|VE|[tT](?=is|was)){_END}|[tT](?=is|was))
    | (?P<dropped>\.{{2,}}|\u2026|-+|[\u2013\u2014]|["\u201c\u201d\u2018\u2019'`])
    | (?P<other>\S)
    """,
    re.VERBOSE,
)


def tokenise(text: str, name: TokeniserName = DEFAULT) -> Tokens:
    """The words of a text, none of them empty; () for a text without words.

    - `ptb_like`: as coco-caption's PTBTokenizer (Stanford CoreNLP 3.4.1, lower-cased, punctuation left
      out): contractions parted ("can not", "there 's"), brackets kept as -lrb- and -rrb-.
    - `coco_raw`: split at white space, nothing else (RadEval's BLEU).
    - `lower_split`: lower-cased, split at white space.
    - `r2gen`: R2Gen's cleaning of IU X-Ray reports, a "." after each sentence. R2Gen then also turns
      rare words into <unk> and cuts texts at 60 words, in the references too: that is not done here.
    - `cxr_report_metric`: CXR-Report-Metric's and ReXrank's: lower-cased, dots parted, split at blanks.
    - `rouge_score`: lower-cased runs of a to z and 0 to 9.

    Another name, or what is no text, raises XemplarError.
    """
    if not isinstance(text, str):
        raise XemplarError(f"a {type(text).__name__}", wanted="a text", remedy="give empty text as ''")
    split = _SPLITS.get(name)
    if split is None:
        raise XemplarError(f"tokeniser {name!r}", wanted=", ".join(get_args(TokeniserName)))
    return split(text)


def tokenise_all(texts: Sequence[str], name: TokeniserName = DEFAULT) -> list[Tokens]:
    """The words of each text in order; an equal text is split once. Errors as `tokenise`."""
    known: dict[str, Tokens] = {}
    for text in texts:
        if not isinstance(text, str) or text not in known:
            known[text] = tokenise(text, name)
    return [known[text] for text in texts]


def _ptb_like(text: str) -> Tokens:
    chunks = text.split()
    following = [*chunks, ""][1:]
    return tuple(
        token
        for chunk, after in zip(chunks, following, strict=True)
        # Only an abbreviation such as "no." asks what comes after it.
        for token in _ptb_chunk(chunk + " 0" if chunk[-1] == "." and after[:1].isdigit() else chunk)
    )


@lru_cache(maxsize=1 << 16)
def _ptb_chunk(chunk: str) -> Tokens:
    """The tokens of what stands between two blanks; cached, for a corpus has few different ones.

    " 0" at the end says that a number follows.
    """
    tokens: list[str] = []
    for match in _PIECE.finditer(chunk):
        kind, piece = match.lastgroup, match.group()
        if kind == "rest":
            tokens += [match["parted"], match["rest"]]
        elif kind == "nt":
            tokens += [match["negated"], match["nt"].replace("\u2019", "'")]
        elif kind == "clitic":
            tokens.append("'" + match["clitic"])
        elif kind != "dropped":
            tokens.append(_REWRITTEN.get(piece, piece))
    if chunk.endswith(" 0"):
        tokens.pop()
    lowered = (token.lower() for token in tokens)
    return tuple(token for token in lowered if token and token not in _DROPPED)


def _coco_raw(text: str) -> Tokens:
    return tuple(text.split())


def _lower_split(text: str) -> Tokens:
    return tuple(text.lower().split())


_R2GEN_ENUMERATION = re.compile(r"(?:\.? )[2-5]\. ")
_R2GEN_MARKS = re.compile(r"[.,?;*!%^&_+()\[\]{}:<=>@\"/\\']")


def _r2gen(text: str) -> Tokens:
    for _ in range(3):
        text = text.replace("..", ".")
    text = _R2GEN_ENUMERATION.sub(". ", text.replace("1. ", ""))
    sentences = (_R2GEN_MARKS.sub("", sentence.strip()) for sentence in text.strip().lower().split(". "))
    words = tuple(word for sentence in sentences for word in (*sentence.split(), "."))
    return words if any(word != "." for word in words) else ()


def _cxr_report_metric(text: str) -> Tokens:
    return tuple(token for token in text.lower().replace(".", " .").split(" ") if token)


_ROUGE_WORD = re.compile(r"[a-z0-9]+")


def _rouge_score(text: str) -> Tokens:
    return tuple(_ROUGE_WORD.findall(text.lower()))


_SPLITS: MappingProxyType[str, Callable[[str], Tokens]] = MappingProxyType(
    {
        "ptb_like": _ptb_like,
        "coco_raw": _coco_raw,
        "lower_split": _lower_split,
        "r2gen": _r2gen,
        "cxr_report_metric": _cxr_report_metric,
        "rouge_score": _rouge_score,
    }
)
