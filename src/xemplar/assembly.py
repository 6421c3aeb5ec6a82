"""How hits become text: the settings of a system's last stage, as its recipe states them.

Knows names and numbers only; the drafting room carries them out.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from xemplar.records import Kind

Policy = Literal["evidence", "top", "consistent", "augmented"]


class Assembly(BaseModel):
    """What is retrieved and what is made of it.

    `policy`: "evidence", ours, one span for each finding believed; "top", the nearest `count` items as
    they stand (TxtRayAlign, MedCLIP); "consistent", X-REM's: the `first` nearest by cosine, of which
    the matcher keeps `keep`, of which up to `count` that are neither entailed nor contradicted by those
    before; "augmented", after X-TRA: the report nearest to the image's vector once it has looked at
    `neighbours` of its nearest. `unit` is what "top" retrieves; "consistent" and "augmented" retrieve
    reports and refuse another.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    policy: Policy = "evidence"
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
        return self

    @model_validator(mode="after")
    def _has_judge(self) -> Assembly:
        if (self.filter in ("nli", "bertscore")) != (self.judge is not None):
            raise ValueError("`judge` names the network of the filters nli and bertscore, and of no other")
        return self
