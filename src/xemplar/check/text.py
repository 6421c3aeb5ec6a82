"""A report's words checked by themselves: no film, no archive."""

from __future__ import annotations

from xemplar.check.alerts import Alert, Checked
from xemplar.check.conflicts import conflicts
from xemplar.check.priors import without_prior
from xemplar.check.reading import WHOLE, Read, read_report
from xemplar.records import Study

NO_FILM = "no film was given"


def check_text(report: str | Study | Read) -> Checked:
    """Where a report speaks against itself, or compares without a prior; silent otherwise.

    Quotes' places are offsets into a text that is given whole, or into each section of a study. A text
    without headings is checked as one section, and a note says so; a report without findings and impression,
    or in another language than English, says so in `unread`.
    """
    read = report if isinstance(report, Read) else read_report(report)
    if read.unread is not None:
        return Checked((), read.unread, NO_FILM)
    alerts = tuple(sorted((*conflicts(read), *without_prior(read)), key=_place))
    return Checked(alerts, None, NO_FILM, _notes(read))


def _place(alert: Alert) -> tuple[str, int]:
    """Findings before impression, and each in its order."""
    return alert.quotes[0].section, alert.quotes[0].start


def _notes(read: Read) -> tuple[str, ...]:
    there = {one.section for one in read.sentences}
    if there == {WHOLE}:
        return ("no heading of findings or impression in it: read as one section, held against no other",)
    missing = [name for name in ("findings", "impression") if name not in there]
    return tuple(f"no {name} in it: nothing to compare the rest with" for name in missing)
