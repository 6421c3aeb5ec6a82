"""The verb as a user calls it, over an archive that is open already."""

import contextlib
import io

import pytest

from xemplar.cli import main


def printed(monkeypatch, archive, film, *options):
    """What `xemplar classify` prints for a film."""
    monkeypatch.setattr("xemplar.archive.open_archive", lambda *_, **__: archive)
    monkeypatch.setattr(type(archive), "load_film", lambda *_: film)
    out = io.StringIO()
    with contextlib.redirect_stdout(out), pytest.raises(SystemExit) as stopped:
        main(["classify", "index", "film.png", *options])
    assert stopped.value.code == 0
    return out.getvalue()
