"""What the parts of a composition's value weigh.

Knows numbers alone; what they weigh is told in the room's head. All are in the unit of `worth`, in which
a finding told rightly and surely is worth 1.
"""

DETAIL = 0.5
"""What a detail adds to a claim that is right: it is told from a probability of 2 / (2 + DETAIL) on, .8."""

SIMILAR = 1.0
"""Of a cosine of 1 between the image and the sentence, for each finding of the span."""

LINE = 0.25
"""Cost of a line: one that denies three findings saves two of them."""

RARE = 0.3
"""Cost of a word that hardly anybody wrote."""

SELDOM = 0.1
"""Cost of a sentence that hardly anybody wrote."""

RAGGED = 0.05
"""Cost of each: a cut, a start in lower case, an end without a full stop, a label before the first word."""

NUMBER = 0.1
"""Cost of a number, as of a rib or a vertebra: no claim tells it, so nobody asked whether it is right."""

WORD = 0.02
"""Cost of a word, in an impression alone, where short is good."""

UNITS = 10_000
"""Values are counted in whole parts of this: sums are then exact, and what is nearly equal is equal."""
