"""Query -> hits: by vectors, words and claims, fused by rank; or read, held against reports, and told why.

Knows the index, an encoder and what reports claim; knows nothing of drafts.
"""

from xemplar.retrieval.answered import Evidence
from xemplar.retrieval.asked import Asked, Term, asked_from, read_query
from xemplar.retrieval.by_claims import ClaimIndex, ClaimWeights, claims_in
from xemplar.retrieval.filters import Facets, Filter, named
from xemplar.retrieval.finder import NOTICE, Answer, Finder, Found, Judged
from xemplar.retrieval.measured import Measured, measured
from xemplar.retrieval.region import Region, read_region, region_vector
from xemplar.retrieval.retriever import FUSION, NOBODY, Leave, Query, Retriever, shown_of

__all__ = [
    "FUSION",
    "NOBODY",
    "NOTICE",
    "Answer",
    "Asked",
    "ClaimIndex",
    "ClaimWeights",
    "Evidence",
    "Facets",
    "Filter",
    "Finder",
    "Found",
    "Judged",
    "Leave",
    "Measured",
    "Query",
    "Region",
    "Retriever",
    "Term",
    "asked_from",
    "claims_in",
    "measured",
    "named",
    "read_query",
    "read_region",
    "region_vector",
    "shown_of",
]
