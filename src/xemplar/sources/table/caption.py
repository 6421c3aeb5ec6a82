"""A caption made of a row's columns: "a {Plane} plane {Modality} scan[ of a {Age} year old]".

Knows the template's signs and a row's cells; knows no table. MedPix's captions, on which MedCLIP was
trained, are made in this way; theirs said "nan year old None" where nothing was known, ours leave such a
part out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from xemplar.errors import XemplarError
from xemplar.sources.rows import is_nothing

OPTION = "--caption"
_SIGNS = re.compile(r"\{\{|\}\}|\[\[|\]\]|\{(?P<column>[^{}]+)\}|(?P<sign>[\[\]{}])")


@dataclass(frozen=True, slots=True)
class _Part:
    """Words and columns, in order; one that `may_fail` is left out where one of its columns is empty."""

    pieces: tuple[tuple[str, bool], ...]
    """A text, and whether it is a column's name."""
    may_fail: bool

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(text for text, is_column in self.pieces if is_column)


@dataclass(frozen=True, slots=True)
class Caption:
    """A template, read and checked."""

    parts: tuple[_Part, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column it names, in order, each once."""
        return tuple(dict.fromkeys(column for part in self.parts for column in part.columns))

    def missing(self, values: Mapping[str, str]) -> str:
        """The first column outside brackets in which the row has nothing; empty where there is none."""
        needed = (column for part in self.parts if not part.may_fail for column in part.columns)
        return next((column for column in needed if is_nothing(values.get(column, ""))), "")

    def text(self, values: Mapping[str, str]) -> str:
        """The caption of a row (column -> cell); parts in brackets with an empty column are left out.

        Empty where a column outside brackets is. Blanks in a row are one.
        """
        if self.missing(values):
            return ""
        kept = (
            part
            for part in self.parts
            if not any(is_nothing(values.get(column, "")) for column in part.columns)
        )
        said = (values[text] if is_column else text for part in kept for text, is_column in part.pieces)
        return " ".join("".join(said).split())


def read_template(template: str) -> Caption:
    """A template as it is written: {column}, [a part that may be left out], and {{ }} [[ ]] for the signs.

    XemplarError for a bracket or brace without its other half, one within another, a part in brackets or
    a template that names no column.
    """
    parts = tuple(_parts(template))
    if not any(part.columns for part in parts):
        raise _refused("no column in the caption", "a column in braces: a scan of {Location}")
    return Caption(parts)


def _parts(template: str) -> Iterator[_Part]:
    pieces: list[tuple[str, bool]] = []
    may_fail, end = False, 0
    for found in _SIGNS.finditer(template):
        pieces.append((template[end : found.start()], False))
        end = found.end()
        sign = found["sign"]
        if found["column"] is not None:
            pieces.append((found["column"], True))
        elif sign is None:
            pieces.append((found[0][0], False))
        elif sign in "{}" or (sign == "[") == may_fail:
            raise _refused(
                f"{sign!r} without its other half", f"{{column}} and [part]; {sign * 2} is the sign"
            )
        else:
            yield _part(pieces, may_fail=may_fail)
            pieces, may_fail = [], not may_fail
    if may_fail:
        raise _refused("'[' without its other half", "[part that may be left out]; [[ is the sign")
    yield _part([*pieces, (template[end:], False)], may_fail=False)


def _part(pieces: list[tuple[str, bool]], *, may_fail: bool) -> _Part:
    part = _Part(tuple(pieces), may_fail)
    if may_fail and not part.columns:
        raise _refused(
            "a part in brackets without a column", "a column by which it is left out; [[ is the sign"
        )
    return part


def _refused(found: str, wanted: str) -> XemplarError:
    return XemplarError(found, wanted=wanted, where=OPTION)
