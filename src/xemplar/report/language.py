"""Which language a text is in.

Knows stop words. Knows nothing of reports.
"""

from __future__ import annotations

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ENGLISH = _words(
    "the of and is are was were there with without or to for at from this that these within has have "
    "been by as not on an be which both seen shows showing shown demonstrates image view right left "
    "heart lung lungs chest size clear scan findings arrow arrows patient after before small large "
    "mild no"
)
_FOREIGN = {
    "german": _words(
        "der das und mit ohne kein keine keinen im ist nicht von bei nach auf ein eine einer eines "
        "zur zum links rechts beidseits herz lunge pleuraerguss sowie dem den für keinerlei nachweis "
        "unauffällig"
    ),
    "spanish": _words(
        "el los las del con sin una y en se por para que no es derrame corazón pulmonar derecha "
        "derecho izquierda izquierdo ni muestra hallazgos tórax de la"
    ),
    "french": _words(
        "le les des du et avec sans pas est une dans au aux sur par un cœur coeur poumon poumons "
        "droite gauche épanchement montrant chez la de en niveau"
    ),
    "portuguese": _words(
        "os dos das com sem uma não em na nos nas ao por para pulmonar derrame direita direito "
        "esquerda esquerdo coração tórax de da o que e"
    ),
    "italian": _words(
        "il gli della del dei con senza una nel non di è versamento cuore polmone destra sinistra"
    ),
    "dutch": _words("het een van met geen niet naar rechts links hart long de en bij zonder"),
}


def is_english(text: str) -> bool:
    """Whether a text is to be read as English, by its stop words.

    Counts words that only English uses against those of six other languages; in a text that isn't all
    in capitals, a word in capitals is an abbreviation ("IL", "DES") and speaks for no other language.
    A text that gives no sign either way counts as English; one mostly in another script does not.
    """
    letters = [letter for letter in text if letter.isalpha()]
    latin = sum(letter < "\u0250" or "\u1e00" <= letter < "\u1f00" for letter in letters)
    if 2 * latin < len(letters):
        return False
    written = re.findall(r"[^\W\d_]+", text)
    english = sum(word.casefold() in _ENGLISH for word in written)
    words = [word.casefold() for word in written if text.isupper() or not word.isupper()]
    foreign = max(sum(word in known for word in words) for known in _FOREIGN.values())
    return foreign <= english


def language_of(text: str) -> str | None:
    """The language a text is written in, ISO 639-1; None where it gives no sign."""
    return "en" if is_english(text) else None
