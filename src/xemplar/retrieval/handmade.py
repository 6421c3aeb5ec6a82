"""A reading that was changed or written by hand -> its fields, checked; what it can't hold is refused.

Knows the shape of a reading and the words that a side, a place and a degree go by. Knows nothing of how a
query is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from xemplar.errors import XemplarError
from xemplar.findings.lexicon import lexicon
from xemplar.retrieval.terms import DETAILS, NORMAL


def _listed(value: object) -> object:
    if isinstance(value, str):
        raise ValueError("a list is wanted, not a text")
    return value


Texts = Annotated[tuple[str, ...], BeforeValidator(_listed)]
Age = Annotated[float, Field(strict=True, allow_inf_nan=False)]


class _Fields(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Term(_Fields):
    finding: str
    presence: Literal["present", "absent", "uncertain"] = "present"
    side: Texts = ()
    place: Texts = ()
    degree: Texts = ()
    words: Texts = ()
    span: tuple[int, int] = (0, 0)
    any_of: tuple[_Term, ...] = ()

    @model_validator(mode="after")
    def _known(self) -> Self:
        for kind in DETAILS:
            known = lexicon("default").modifiers[kind].labels
            for value in getattr(self, kind):
                if value not in known:
                    raise ValueError(f"no {kind} {value!r}: one of {', '.join(dict.fromkeys(known))}")
        if self.any_of and (len(self.any_of) < 2 or any(one.any_of for one in self.any_of)):
            raise ValueError("any_of holds two terms or more, and none of those any_of")
        return self


class _Filter(_Fields):
    name: str = Field(min_length=1)
    values: Texts = ()
    low: Age | None = None
    high: Age | None = None
    spoken: bool = False
    negated: bool = False

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        bounded = self.low is not None or self.high is not None
        if bounded == bool(self.values):
            raise ValueError("a filter has either values, or low or high, or both of these")
        if bounded and self.name != "age":
            raise ValueError("low and high are of the age alone")
        return self


class _Reading(_Fields):
    text: str
    wanted: tuple[_Term, ...] = ()
    unwanted: tuple[_Term, ...] = ()
    filters: tuple[_Filter, ...] = ()
    words: Texts = ()
    ranked: str = ""
    how: Literal["claims", "words", "report"] = "claims"
    language: str = "en"
    notes: Texts = ()

    @model_validator(mode="after")
    def _in_its_place(self) -> Self:
        for term in self.wanted:
            if any(one.presence == "absent" for one in (term, *term.any_of)):
                raise ValueError(f"{term.finding} is wanted and absent: put it under unwanted")
        for term in self.unwanted:
            if term.finding == NORMAL or term.any_of:
                raise ValueError(f"{term.finding} can't be unwanted so: name each finding that is")
        return self


def checked(value: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a reading; what isn't wanted has the presence "absent", whatever was written."""
    try:
        told = _Reading.model_validate(dict(value)).model_dump()
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole"
        said = first["msg"].removeprefix("Value error, ")
        raise XemplarError(
            f"a reading that is none: {where}: {said}", wanted="what `search --json` gives"
        ) from None
    told["unwanted"] = [{**one, "presence": "absent"} for one in told["unwanted"]]
    return told
