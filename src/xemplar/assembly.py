"""How hits become text: the settings of a system's last stage, as its recipe states them.

Knows names and numbers only; the drafting room carries them out.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from xemplar.records import Kind

Policy = Literal["evidence", "top", "mmr", "consistent", "augmented"]
Style = Literal["findings", "findings+impression", "impression"]


class Assembly(BaseModel):
    """What is retrieved and what is made of it.

    `policy`: "evidence", ours, the spans that together say best what is believed, laid out in `style`;
    "top", the nearest `count` items as they stand (TxtRayAlign, MedCLIP); "mmr", `count` of the `first`
    nearest sentences by maximal marginal relevance; "consistent", X-REM's: the `first` nearest by cosine,
    of which the matcher keeps `keep`, of which up to `count` that are neither entailed nor contradicted by
    those before; "augmented", after X-TRA: the report nearest to the image's vector once it has looked at
    `neighbours` of its nearest. `unit` is what "top" retrieves; "mmr" retrieves sentences, "consistent"
    and "augmented" reports, and they refuse another.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    policy: Policy = "evidence"
    style: Style = "findings"
    """Of "evidence": every finding once, these and what is there again in short, or the short form alone."""
    unit: Kind = "sentence"
    count: int = Field(default=2, ge=1, le=50)
    first: int = Field(default=50, ge=1)
    keep: int = Field(default=10, ge=1)
    neighbours: int = Field(default=8, ge=1)
    filter: Literal["claims", "nli", "bertscore", "none"] = "claims"
    """Who judges "consistent": our rules over claims, a network, BERTScore of two texts, or nobody."""
    judge: str | None = None
    """Name or folder of the network that "nli" and "bertscore" ask."""

    @model_validator(mode="after")
    def _of_reports(self) -> Assembly:
        if self.policy in ("consistent", "augmented") and self.unit != "report":
            raise ValueError(f'policy "{self.policy}" retrieves whole reports: unit = "report"')
        if self.policy == "mmr" and self.unit != "sentence":
            raise ValueError('policy "mmr" retrieves sentences: unit = "sentence"')
        return self

    @model_validator(mode="after")
    def _of_style(self) -> Assembly:
        if self.style != "findings" and self.policy != "evidence":
            raise ValueError(f'policy "{self.policy}" quotes what it finds and has no style')
        return self

    @model_serializer(mode="wrap")
    def _without_usual_style(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """As it always was where no other style is asked for, so that it keeps its fingerprint."""
        values: dict[str, Any] = write(self)
        if self.style == "findings":
            values.pop("style", None)
        return values

    @model_validator(mode="after")
    def _has_judge(self) -> Assembly:
        if (self.filter in ("nli", "bertscore")) != (self.judge is not None):
            raise ValueError("`judge` names the network of the filters nli and bertscore, and of no other")
        return self
