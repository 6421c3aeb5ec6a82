"""What an image says of itself, files without a preamble, files written on demand, and silence."""

import hashlib
import io
import logging
import warnings
from dataclasses import dataclass

import numpy as np
import pytest
from films import compressed, file_bytes, film, jpeg_ls, noise, written
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from xemplar.errors import ImageError
from xemplar.images import DOMAIN_KEY, PreviewSpec, mark_dataset, read_preview

SPEC = PreviewSpec(size=64)
WINDOW = {"WindowCenter": 2048, "WindowWidth": 4096}


@dataclass(frozen=True)
class OnDemand:
    content: bytes

    def data(self):
        return self.content


@pytest.fixture
def preview(tmp_path):
    def make(data):
        return read_preview(written(tmp_path / "film.dcm", data), SPEC)

    return make


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2"])
@pytest.mark.parametrize("domain", ["synthetic", "figures", "clinical"])
def test_dicom_says_its_domain(preview, domain, syntax):
    data = film(noise(), syntax=syntax)
    mark_dataset(data, domain)
    assert preview(data).domain == domain


def test_mark_stands_where_others_may_look_for_it():
    data = film(noise())
    mark_dataset(data, "synthetic")
    assert (data[0x00090010].value, data[0x00091001].value) == ("XEMPLAR", "synthetic")
    assert DOMAIN_KEY == "xemplar-domain"


def test_dicom_without_a_mark_has_no_domain(preview):
    data = film(noise())
    data.private_block(0x0009, "SOMEBODY ELSE", create=True).add_new(1, "LO", "synthetic")
    assert preview(data).domain is None


def test_unknown_domain_is_refused_unquoted(preview):
    data = film(noise())
    data.private_block(0x0009, "XEMPLAR", create=True).add_new(1, "LO", "Jane Doe")
    with pytest.raises(
        ImageError, match=r"^film\.dcm: an unknown xemplar-domain mark; wanted synth"
    ) as error:
        preview(data)
    assert "Doe" not in str(error.value)


def test_written_image_is_read_as_any_file(tmp_path):
    content = file_bytes(film(noise(), **WINDOW))
    (tmp_path / "film.dcm").write_bytes(content)
    there, here = read_preview(tmp_path / "film.dcm", SPEC), read_preview(OnDemand(content), SPEC)
    assert np.array_equal(there.pixels, here.pixels) and there.history == here.history
    assert here.sha256 == hashlib.sha256(content).hexdigest()


def test_written_image_may_be_a_png():
    file = io.BytesIO()
    Image.fromarray(noise(np.uint8, 0, 256)).save(file, "PNG")
    shown = read_preview(OnDemand(file.getvalue()), SPEC)
    assert (shown.history.format, shown.domain) == ("PNG", None)


@pytest.mark.parametrize("content", [b"", b"nonsense", bytes(9)])
def test_written_image_is_named_in_errors(content):
    with pytest.raises(ImageError, match=r"^written image: "):
        read_preview(OnDemand(content), SPEC)


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2"])
@pytest.mark.parametrize("keep", ["meta", "nothing"])
def test_dicom_without_its_preamble_is_read(preview, tmp_path, syntax, keep):
    content = file_bytes(film(noise(), syntax=syntax, **WINDOW))
    start = 132 if keep == "meta" else 144 + int.from_bytes(content[140:144], "little")
    (tmp_path / "bare.dcm").write_bytes(content[start:])
    shown = read_preview(tmp_path / "bare.dcm", SPEC)
    assert np.array_equal(shown.pixels, preview(film(noise(), **WINDOW)).pixels)
    assert shown.history.transfer_syntax == syntax


def test_compressed_dicom_without_its_meta_is_refused(tmp_path):
    content = file_bytes(compressed(noise(), jpeg_ls(noise()), "1.2.840.10008.1.2.4.80"))
    (tmp_path / "bare.dcm").write_bytes(content[144 + int.from_bytes(content[140:144], "little") :])
    with pytest.raises(
        ImageError, match=r"compressed pixel data without a Transfer Syntax UID \(0002,0010\)"
    ):
        read_preview(tmp_path / "bare.dcm", SPEC)


@pytest.mark.parametrize("keyword", ["FloatPixelData", "DoubleFloatPixelData"])
def test_floating_point_pixels_are_refused(preview, keyword):
    values = np.zeros((64, 64), np.float32 if keyword[0] == "F" else np.float64).tobytes()
    with pytest.raises(ImageError, match="Computed Radiography Image Storage: floating-point pixel data"):
        preview(film(noise(), PixelData=None, **{keyword: values}))


def test_nothing_of_a_header_is_warned_of_or_logged(tmp_path, caplog):
    content = file_bytes(film(noise(), SpecificCharacterSet="ISO_IR 100", PatientName="Doe^Jane"))
    path = tmp_path / "film.dcm"
    path.write_bytes(content.replace(b"ISO_IR 100", b"JANE_SMITH"))
    with caplog.at_level(logging.DEBUG), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        read_preview(path, SPEC)
    assert not caught and "JANE" not in caplog.text


def coded(value):
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "SCT", "as the code says"
    return Sequence([item])


@pytest.mark.parametrize(
    ("tags", "position"),
    [
        ({"ViewCodeSequence": coded("272479007")}, "frontal"),
        ({"ViewCodeSequence": coded("R-10206")}, "frontal"),
        ({"ViewCodeSequence": coded("399173006")}, "lateral"),
        ({"ViewCodeSequence": coded("1")}, None),
        ({"PatientOrientation": ["L", "F"]}, "frontal"),
        ({"PatientOrientation": ["F", "R"]}, "frontal"),
        ({"PatientOrientation": ["A", "F"]}, "lateral"),
        ({"PatientOrientation": ["P", "F"]}, "lateral"),
        ({"PatientOrientation": ["LA", "F"]}, None),
        ({"PatientOrientation": ["L", "P"]}, None),
        ({"PatientOrientation": ["L", "F"], "Modality": "MR"}, None),
        ({"PatientOrientation": ["A", "F"], "ViewPosition": "PA"}, "frontal"),
        ({"ViewPosition": "LLD"}, "decubitus"),
    ],
)
def test_view_is_told_by_code_or_orientation_where_position_is_silent(preview, tags, position):
    assert preview(film(noise(), **{"Modality": "DX", **tags})).position == position
