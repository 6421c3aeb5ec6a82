"""Tables written for tests, read by the table source, and what is said of those that can't be."""

import pytest

from xemplar.contracts import Arrival
from xemplar.errors import XemplarError
from xemplar.records import Rejected
from xemplar.sources.table import TableSettings, studies

TEXT = "Patient Doe has a large left effusion"
UNKNOWN = TableSettings(patients_unknown=True)
FILMS = TableSettings(patients_unknown=True, texts="captions")
"""Films alone, asked for."""
PATIENT = TableSettings(patient_column="patient")


def write(folder, text, name="table.csv"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def picture(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()


def read(path, settings=UNKNOWN):
    found = list(studies(path, settings))
    arrivals = [one for one in found if isinstance(one, Arrival)]
    return arrivals, [one for one in found if isinstance(one, Rejected)]


def only(path, settings=UNKNOWN):
    arrivals, rejected = read(path, settings)
    assert (len(arrivals), rejected) == (1, [])
    return arrivals[0]


def said_of(path, **settings):
    with pytest.raises(XemplarError) as caught:
        read(path, TableSettings(**{"patients_unknown": True, **settings}))
    return str(caught.value)
