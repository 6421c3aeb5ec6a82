"""DICOM files of the phantom: valid, marked, of 12 bits, the same bytes at every call, the film they hold."""

from __future__ import annotations

import io
import pickle

import numpy as np
import pydicom
import pytest
from examinations import sampled
from pydicom.pixels import get_decoder

from xemplar.contracts import Written
from xemplar.images import PreviewSpec, read_preview
from xemplar.images.marks import domain_of_dataset
from xemplar.sources.phantom import save_film, studies
from xemplar.sources.phantom.lossless import jpeg_lossless
from xemplar.sources.phantom.written import SYNTAXES

BONE_BRIGHT = {"MONOCHROME1": False, "MONOCHROME2": True}


@pytest.fixture(scope="module")
def written():
    """One arrival of each transfer syntax and photometric interpretation."""
    found = {}
    for number in range(700):
        storage = sampled(number).storage
        if storage and (key := (storage.syntax, storage.inverted)) not in found:
            (found[key],) = studies(1, start=number)
    return found


@pytest.fixture(scope="module")
def opened(written):
    return {key: (a, pydicom.dcmread(io.BytesIO(a.images[0].data()))) for key, a in written.items()}


def test_every_syntax_occurs_either_way(written):
    assert set(written) == {(syntax, inverted) for syntax in SYNTAXES for inverted in (False, True)}


def test_one_study_in_eight_is_written():
    for site in "AB":
        share = np.mean([sampled(n, site).storage is not None for n in range(1000)])
        assert 0.1 < share < 0.15


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_decoder_gives_back_the_film_exactly(opened, syntax):
    for inverted in (False, True):
        arrival, file = opened[syntax, inverted]
        assert file.file_meta.TransferSyntaxUID == SYNTAXES[syntax]
        stored = file.pixel_array.astype(int)
        deep = arrival.images[0].view.draw_deep()
        assert np.array_equal(4095 - stored if inverted else stored, deep)
        assert file.PhotometricInterpretation == ("MONOCHROME1" if inverted else "MONOCHROME2")


def test_the_file_is_the_same_at_every_call(written):
    for arrival in written.values():
        again = pickle.loads(pickle.dumps(arrival.images[0]))
        assert again.data() == arrival.images[0].data()


def test_more_than_eight_bits_are_used(opened):
    for arrival, file in opened.values():
        values = np.unique(file.pixel_array)
        assert len(values) > 1500
        assert (np.unique(values % 16).tolist()) == list(range(16))
        eight = arrival.images[0].view.draw().astype(float)
        deep = arrival.images[0].view.draw_deep() * (255 / 4095)
        assert np.abs(deep - eight).mean() < 1.0


def test_the_word_drawn_and_the_marker_are_burned_into_twelve_bits_too(opened):
    for arrival, _ in opened.values():
        deep, eight = arrival.images[0].view.draw_deep() // 16, arrival.images[0].view.draw()
        assert np.abs(deep[-14:, :44].astype(int) - eight[-14:, :44]).max() <= 1
        assert (deep[-14:, :44] > 120).mean() > 0.1
        marker = (
            slice(8, 30),
            slice(6, 32) if arrival.images[0].view.shot.marker == "right" else slice(-28, -4),
        )
        assert (deep[marker] > 225).sum() > 20


def test_it_says_whose_it_is_and_nothing_else_of_a_person(opened):
    for arrival, file in opened.values():
        assert (str(file.PatientName), file.PatientID) == ("DRAWN^PHANTOM", arrival.study.patient_id)
        assert domain_of_dataset(file, "file") == "synthetic"
        assert file.private_block(0x0009, "XEMPLAR")[0x01].value in ("synthetic", b"synthetic ")
        assert file.BurnedInAnnotation == "YES"


def test_uids_are_the_studys_own(opened):
    for arrival, file in opened.values():
        assert file.SOPInstanceUID == arrival.study.views[0].sop_instance_uid
        assert file.StudyInstanceUID == arrival.study.study_uid
        assert {uid[:5] for uid in (file.SOPInstanceUID, file.StudyInstanceUID, file.SeriesInstanceUID)} == {
            "2.25."
        }
    uids = [file.SOPInstanceUID for _, file in opened.values()]
    assert len(set(uids)) == len(uids)


def test_windows_and_rescales_come_and_go(opened):
    files = [file for _, file in opened.values()]
    assert {"WindowCenter" in file for file in files} == {True, False}
    assert {"RescaleSlope" in file for file in files} == {True, False}
    assert {(file.BitsAllocated, file.BitsStored, file.HighBit) for file in files} == {(16, 12, 11)}


def test_ingest_sees_the_drawn_film(written):
    """However it is stored, the preview is the drawn view's, up to its window."""
    spec = PreviewSpec(size=96)
    for arrival in written.values():
        read, drawn = (read_preview(image, spec) for image in (arrival.images[0], arrival.images[0].view))
        assert np.corrcoef(read.image.ravel(), drawn.image.ravel())[0, 1] > 0.97
        assert read.domain == "synthetic"
        assert read.history.bits_stored == 12


def test_a_saved_film_is_the_file(written, tmp_path):
    arrival = written["rle", True]
    assert isinstance(arrival.images[0], Written)
    path = save_film(arrival, 0, tmp_path / "film.png")
    assert path == tmp_path / "film.dcm"
    assert path.read_bytes() == arrival.images[0].data()


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (31, 17)])
def test_lossless_jpegs_of_any_shape_are_read_back(shape):
    rng = np.random.default_rng(shape[0])
    for grey in (
        rng.integers(0, 4096, shape),
        np.zeros(shape),
        np.full(shape, 4095),
        rng.choice([0, 4095], shape),
    ):
        grey = grey.astype(np.uint16)
        assert np.array_equal(decoded(jpeg_lossless(grey), shape), grey)


def decoded(jpeg, shape):
    """By GDCM, through pydicom."""
    from pydicom.encaps import encapsulate

    decoder = get_decoder(SYNTAXES["jpeg-lossless"])
    pixels, _ = decoder.as_array(
        encapsulate([jpeg]), rows=shape[0], columns=shape[1], samples_per_pixel=1, bits_allocated=16,
        bits_stored=12, number_of_frames=1, photometric_interpretation="MONOCHROME2",
        pixel_representation=0, pixel_keyword="PixelData", decoding_plugin="gdcm",
    )  # fmt: skip
    return pixels
