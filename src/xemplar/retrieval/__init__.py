"""Query -> hits: by vectors, by words and by claims, fused by rank.

Knows the index, an encoder and what reports claim; knows nothing of drafts.
"""

from xemplar.retrieval.by_claims import ClaimIndex, ClaimWeights, claims_in
from xemplar.retrieval.retriever import FUSION, NOBODY, Leave, Query, Retriever

__all__ = ["FUSION", "NOBODY", "ClaimIndex", "ClaimWeights", "Leave", "Query", "Retriever", "claims_in"]
