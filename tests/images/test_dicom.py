"""DICOM -> preview: hand-made data sets whose displayed pixels are worked out by hand."""

import io
from dataclasses import asdict

import cv2
import numpy as np
import pydicom
import pytest
from films import film, noise, written
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
)

from xemplar.errors import ImageError
from xemplar.images import PreviewSpec, read_preview

SPEC = PreviewSpec(size=64)


@pytest.fixture
def preview(tmp_path):
    def make(pixels, *, spec=SPEC, **settings):
        return read_preview(written(tmp_path / "film.dcm", film(pixels, **settings)), spec)

    return make


def test_window_linear_by_hand(preview):
    # 64 x 64 and size 64: no resampling. Centre 100, width 51: black up to 74.5, white above 124.5.
    row = np.repeat([0, 74, 75, 99, 100, 124, 125, 4095], 8)
    shown = preview(np.tile(row, (64, 1)).astype(np.uint16), WindowCenter=100, WindowWidth=51)
    by_hand = [0, 0, 0.5 / 50, 24.5 / 50, 25.5 / 50, 49.5 / 50, 1, 1]
    assert shown.pixels[0, ::8].tolist() == [round(255 * value) for value in by_hand]


def test_window_agrees_with_pydicom(preview):
    pixels = noise()
    data = film(pixels, WindowCenter=1800, WindowWidth=2200)
    theirs = pydicom.pixels.apply_windowing(pixels, data) / 4095 * 255
    ours = preview(pixels, WindowCenter=1800, WindowWidth=2200).pixels
    assert np.abs(ours - theirs).max() <= 0.5 + 1e-3


@pytest.mark.parametrize("function", ["LINEAR_EXACT", "SIGMOID"])
def test_other_window_functions_agree_with_pydicom(preview, function):
    pixels, tags = noise(), {"WindowCenter": 1800, "WindowWidth": 900, "VOILUTFunction": function}
    theirs = pydicom.pixels.apply_windowing(pixels, film(pixels, **tags)) / 4095 * 255
    assert np.abs(preview(pixels, **tags).pixels - theirs).max() <= 0.5 + 1e-3


def test_first_of_several_windows_counts(preview):
    pixels = noise()
    one = preview(pixels, WindowCenter=1000, WindowWidth=500)
    many = preview(pixels, WindowCenter=[1000, 3000], WindowWidth=[500, 10])
    assert many.history.window == (1000.0, 500.0)
    assert np.array_equal(one.pixels, many.pixels)


def test_window_of_width_one_is_a_step(preview):
    row = np.repeat([98, 99, 100, 101], 16)
    shown = preview(np.tile(row, (64, 1)).astype(np.uint16), WindowCenter=100, WindowWidth=1)
    assert shown.pixels[0, ::16].tolist() == [0, 0, 255, 255]


@pytest.mark.parametrize("width", [0, -5])
def test_unusable_window_falls_back_on_percentiles(preview, width):
    assert "percentile-stretched" in preview(noise(), WindowCenter=9, WindowWidth=width).history.steps


def test_monochrome1_by_window_gives_the_same_preview(preview):
    pixels = noise()
    bright = preview(pixels, WindowCenter=2000, WindowWidth=3000)
    # A window covers centre - 0.5 +- (width - 1) / 2, so its mirror image in 4095 is centred on 2096.
    dark = preview(
        4095 - pixels, WindowCenter=2096, WindowWidth=3000, PhotometricInterpretation="MONOCHROME1"
    )
    assert np.array_equal(bright.pixels, dark.pixels)
    assert "inverted" in dark.history.steps and "inverted" not in bright.history.steps


def test_monochrome1_by_percentiles_gives_the_same_preview(preview):
    pixels = (noise(high=64) ** 2).astype(np.uint16)
    dark = preview(4095 - pixels, PhotometricInterpretation="MONOCHROME1")
    assert np.array_equal(preview(pixels).pixels, dark.pixels)


def test_percentiles_without_a_window(preview):
    pixels = (noise(high=64) ** 2).astype(np.uint16)
    low = np.percentile(pixels, 0.5, method="inverted_cdf")
    high = -np.percentile(-pixels.astype(int), 0.5, method="inverted_cdf")
    wanted = np.rint(255 * np.clip((pixels - low) / (high - low), 0, 1))
    assert np.abs(preview(pixels).pixels - wanted).max() == 0


def test_padding_stays_out_of_the_percentiles(preview):
    pixels = noise(np.int16, 100, 200)
    pixels[:, :20] = -2000
    inner = pixels[:, 20:].astype(int)
    low = np.percentile(inner, 0.5, method="inverted_cdf")
    high = -np.percentile(-inner, 0.5, method="inverted_cdf")
    shown = preview(pixels, bits=16, PixelPaddingValue=-2000).pixels
    assert np.array_equal(shown, np.rint(255 * np.clip((pixels - low) / (high - low), 0, 1)))


def test_rescale_comes_before_the_window(preview):
    pixels = noise()
    plain = preview(pixels, WindowCenter=2000, WindowWidth=1001)
    rescaled = preview(pixels, RescaleSlope=2, RescaleIntercept=-1000, WindowCenter=2999.5, WindowWidth=2001)
    assert rescaled.history.rescale == (2.0, -1000.0)
    assert np.array_equal(plain.pixels, rescaled.pixels)


def test_negative_slope_turns_the_picture(preview):
    pixels = noise()
    assert np.array_equal(
        preview(pixels, RescaleSlope=-1, RescaleIntercept=4095).pixels, preview(4095 - pixels).pixels
    )


def test_modality_table_is_looked_up(preview):
    table = Dataset()
    entries = (np.arange(4096, dtype=np.uint32) ** 2 // 4096).astype(np.uint16)
    table.LUTDescriptor, table.LUTData, table.ModalityLUTType = [4096, 0, 16], entries.tolist(), "US"
    table["LUTDescriptor"].VR = table["LUTData"].VR = "US"
    pixels = noise()
    shown = preview(pixels, ModalityLUTSequence=Sequence([table]))
    assert "modality table" in shown.history.steps
    assert np.array_equal(shown.pixels, preview(entries[pixels]).pixels)


def test_bits_beyond_those_stored_are_ignored(preview):
    pixels = noise()
    junk = pixels | (noise(high=16, seed=2) << 12).astype(np.uint16)
    assert np.array_equal(preview(pixels).pixels, preview(junk).pixels)


def test_signed_pixels_keep_their_order(preview):
    pixels = noise(np.int16, -2048, 2048)
    assert np.array_equal(preview(pixels).pixels, preview((pixels + 2048).astype(np.uint16)).pixels)


def test_signed_bits_beyond_those_stored_are_ignored(preview):
    pixels = noise(np.int16, -2048, 2048)
    assert np.array_equal(preview(pixels).pixels, preview(pixels & 0x0FFF).pixels)


def test_blank_film_is_black_and_says_so(preview):
    shown = preview(np.full((64, 64), 7, np.uint16))
    assert not shown.pixels.any() and "blank" in shown.history.steps


def test_colour_is_weighed_into_grey(preview):
    pixels = noise(np.uint8, 0, 256, (64, 64, 3))
    shown = preview(pixels, bits=8, PhotometricInterpretation="RGB", PlanarConfiguration=0)
    assert np.abs(shown.pixels - pixels @ [0.299, 0.587, 0.114]).max() < 1
    assert shown.history.steps == ("grey from colour",)


def test_ybr_full_is_read_as_its_luminance(preview):
    pixels = np.full((64, 64, 3), 128, np.uint8)
    pixels[..., 0] = noise(np.uint8, 20, 230)
    shown = preview(pixels, bits=8, PhotometricInterpretation="YBR_FULL", PlanarConfiguration=0)
    assert np.abs(shown.pixels.astype(int) - pixels[..., 0]).max() <= 1


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_other_uncompressed_syntaxes_give_the_same_preview(preview, syntax):
    assert np.array_equal(preview(noise()).pixels, preview(noise(), syntax=syntax).pixels)


def test_jpeg_baseline_inside_dicom(preview):
    pixels = cv2.GaussianBlur(noise(np.uint8, 0, 256), (0, 0), 4)
    encoded = cv2.imencode(".jpg", pixels)[1].tobytes()
    data = {"PixelData": pydicom.encaps.encapsulate([encoded]), "WindowCenter": 128, "WindowWidth": 256}
    shown = preview(pixels, syntax=JPEGBaseline8Bit, **data)
    theirs = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert np.abs(shown.pixels.astype(int) - theirs).max() <= 1


def test_tags_that_may_leave(preview):
    shown = preview(
        noise(),
        ViewPosition="PA",
        ImageLaterality="L",
        PixelSpacing=["0", "0"],
        ImagerPixelSpacing=["0.14", "0.15"],
    )
    assert (shown.position, shown.pixel_spacing) == ("frontal", (0.14, 0.15))
    assert (shown.laterality, shown.sop_instance_uid) == ("L", "1.2.3.4")


@pytest.mark.parametrize(
    ("word", "position"),
    [
        ("AP", "frontal"),
        ("LL", "lateral"),
        ("RL", "lateral"),
        ("LATERAL", "lateral"),
        ("LLD", "decubitus"),
        ("RLD", "decubitus"),
        ("LLO", "LLO"),
        ("", None),
    ],
)
def test_view_positions(preview, word, position):
    assert preview(noise(), ViewPosition=word).position == position


@pytest.mark.parametrize(
    ("told", "years"),
    [
        ({"PatientAge": "009Y", "PatientBirthDate": "19500101", "StudyDate": "20200101"}, 9.0),
        ({"PatientAge": "000D", "PatientBirthDate": "19500101", "StudyDate": "20200101"}, 0.0),
        ({"PatientBirthDate": "20120630", "StudyDate": "20200630"}, 8.0),
        ({"PatientBirthDate": "2012.06.30", "StudyDate": "", "ContentDate": "20200630"}, 8.0),
        ({"PatientBirthDate": "20120630"}, None),
        ({"PatientBirthDate": "20200630", "StudyDate": "20120630"}, None),
        ({"PatientBirthDate": "20121399", "StudyDate": "20200630"}, None),
    ],
)
def test_an_age_is_as_stated_else_by_the_birth_date(preview, told, years):
    assert preview(noise(), **told).age_years == (None if years is None else pytest.approx(years, abs=0.01))


def test_a_patient_is_no_part_of_a_preview(preview):
    shown = preview(
        noise(),
        PatientID="SECRET",
        AccessionNumber="HIDDEN",
        StudyInstanceUID="1.2.7777",
        StudyDate="20200131",
    )
    said = repr(asdict(shown))
    assert not any(word in said for word in ("SECRET", "HIDDEN", "1.2.7777", "2020"))


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({"NumberOfFrames": 3}, "multi-frame object of 3 frames"),
        ({"PixelData": None}, r"Computed Radiography Image Storage: no pixel data \(7FE0,0010\)"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.66.4"}, "Segmentation Storage: its pixels"),
        ({"Rows": 4}, "an image of 4 x 64 pixels"),
        ({"Rows": 40000}, "an image of 40000 x 64 pixels"),
        ({"Rows": None}, "pixel data without its Rows"),
        ({"Rows": 65}, "of 8192 bytes, cut short; wanted 8320"),
        ({"BitsAllocated": 32}, "12 bits stored in 32"),
    ],
)
def test_what_is_refused(preview, tags, message):
    with pytest.raises(ImageError, match=f"^film.dcm: .*{message}"):
        preview(noise(), **tags)


def test_error_never_quotes_a_tag(tmp_path):
    data = film(noise())
    data.SOPClassUID = "9.8.7.65432"
    data.add_new(0x00100010, "PN", "Doe^Jane")
    data.add_new(0x00280008, "IS", "1")
    path = written(tmp_path / "film.dcm", data)
    path.write_bytes(path.read_bytes().replace(b"IS\x02\x001 ", b"IS\x02\x00D^"))
    with pytest.raises(ImageError) as caught:
        read_preview(path, SPEC)
    assert str(caught.value) == "film.dcm: a NumberOfFrames that is no whole number"


def test_nothing_is_warned_of_a_value(tmp_path, recwarn):
    path = written(tmp_path / "film.dcm", film(noise(), SOPInstanceUID="1.2.3.45"))
    path.write_bytes(path.read_bytes().replace(b"1.2.3.45", b"Jane.Doe"))
    recwarn.clear()
    assert read_preview(path, SPEC).sop_instance_uid is None
    assert not recwarn.list


def test_inflation_is_bounded(preview, monkeypatch):
    monkeypatch.setattr("xemplar.images.dicom.MAX_BYTES", 5000)
    with pytest.raises(ImageError, match="a DICOM file that inflates; wanted at most 5000 bytes"):
        preview(noise(), syntax=DeflatedExplicitVRLittleEndian)


def test_cut_within_compressed_pixels_is_told(tmp_path):
    fragment = pydicom.encaps.encapsulate([bytes(4000)])
    whole = written(tmp_path / "film.dcm", film(noise(), syntax=JPEGBaseline8Bit, PixelData=fragment))
    whole.write_bytes(whole.read_bytes()[:-1000])
    with pytest.raises(ImageError, match="a DICOM file that is cut short"):
        read_preview(whole, SPEC)


def test_every_cut_is_refused(tmp_path):
    whole = io.BytesIO()
    film(noise(), WindowCenter=5, WindowWidth=9).save_as(whole, enforce_file_format=True)
    data = whole.getvalue()
    for end in [*range(1, 400, 13), *range(400, len(data), 997), len(data) - 1]:
        cut = tmp_path / "cut.dcm"
        cut.write_bytes(data[:end])
        with pytest.raises(ImageError, match=r"^cut\.dcm: "):
            read_preview(cut, SPEC)


def test_damage_gives_a_preview_or_one_error(tmp_path):
    whole = io.BytesIO()
    film(noise(), WindowCenter=5, WindowWidth=9, PatientID="P").save_as(whole, enforce_file_format=True)
    draw, path, refused = np.random.default_rng(3), tmp_path / "film.dcm", 0
    for _ in range(300):
        data = bytearray(whole.getvalue())
        for at in draw.integers(132, 700, 3):
            data[at] = draw.integers(256)
        path.write_bytes(data)
        try:
            read_preview(path, SPEC)
        except ImageError:
            refused += 1
    assert 0 < refused < 300
