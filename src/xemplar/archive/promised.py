"""Whether what a calibration promises holds for this archive's drafts, and why not.

Knows an archive's index, style and gate, and under which of them limits were found; how they are found is
known to drafting. Under a void promise drafts are made with the same limits, and say that nothing is promised
of them; those that state nothing deny no more than they would without any promise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xemplar.drafting.calibration import Under
from xemplar.drafting.gate import Gate
from xemplar.findings import lexicon_version
from xemplar.index import fitted_to

if TYPE_CHECKING:
    from xemplar.archive.facade import Archive

AGAIN = "run `xemplar calibrate` again"


def under_of(archive: Archive, gate: Gate | None) -> Under:
    """What limits found with this archive and gate are found under."""
    return Under(
        style=archive.assembly.style,
        lexicon=lexicon_version()[:16],
        gate=None if gate is None else gate.fingerprint,
    )


def void_of(archive: Archive) -> str | None:
    """Why the calibration's promise isn't of this archive's drafts; None where it is, or there is none."""
    calibration = archive.calibration
    if calibration is None or calibration.promise is None or not calibration.promise.kept:
        return None
    index = fitted_to(archive.index)
    if calibration.index.fingerprint != index.fingerprint:
        return f"found out on index {calibration.index.fingerprint}, and this is {index.fingerprint}"
    if calibration.under is None:
        return f"nothing says under which style, lexicon and gate it was found out; {AGAIN}"
    differ = calibration.under.differs(under_of(archive, archive.gatekeeper.gate))
    return f"found out with {differ}; {AGAIN}" if differ else None
