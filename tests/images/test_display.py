"""What is done to stored values: tables, padding, borders, bits, aspect; worked out by hand or by pydicom."""

import cv2
import numpy as np
import pydicom
import pytest
from films import film, noise, written
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from xemplar.errors import ImageError
from xemplar.images import PreviewSpec, preview_from_array, read_preview

SPEC = PreviewSpec(size=64)


@pytest.fixture
def preview(tmp_path):
    def make(pixels, **settings):
        return read_preview(written(tmp_path / "film.dcm", film(pixels, **settings)), SPEC)

    return make


def table(entries, first=0, bits=16, kind="US"):
    item = Dataset()
    item.add_new("LUTDescriptor", kind, [len(entries) % 65536, first, bits])
    item.add_new("LUTData", "US", [int(entry) for entry in entries])
    return Sequence([item])


def test_voi_table_by_hand(preview):
    row = np.repeat([0, 99, 100, 101, 102, 103, 104, 4095], 8)
    shown = preview(
        np.tile(row, (64, 1)).astype(np.uint16), VOILUTSequence=table([0, 10, 200, 255], first=100, bits=8)
    )
    assert shown.pixels[0, ::8].tolist() == [0, 0, 0, 10, 200, 255, 255, 255]
    assert shown.history.steps == ("VOI table",)


def test_voi_table_agrees_with_pydicom(preview):
    pixels, entries = noise(), (np.arange(4096) ** 2 // 4096).astype(int)
    tags = {"VOILUTSequence": table(entries, bits=12)}
    theirs = pydicom.pixels.apply_voi(pixels, film(pixels, **tags)) / 4095 * 255
    assert np.abs(preview(pixels, **tags).pixels - theirs).max() <= 0.5 + 1e-3


def test_voi_table_goes_before_the_window(preview):
    tags = {"VOILUTSequence": table(range(4096), bits=12), "WindowCenter": 100, "WindowWidth": 50}
    shown = preview(noise(), **tags)
    assert (shown.history.window, shown.history.steps) == (None, ("VOI table",))


def test_voi_table_of_negative_values(preview):
    pixels = noise(np.int16, -4, 4)
    shown = preview(pixels, bits=16, VOILUTSequence=table([0, 80, 160, 255], first=-2, bits=8, kind="SS"))
    assert np.array_equal(shown.pixels, np.array([0, 80, 160, 255])[np.clip(pixels + 2, 0, 3)])


def test_modality_table_agrees_with_pydicom(preview):
    pixels, tags = noise(), {"ModalityLUTSequence": table(np.arange(4096)[::-1], bits=16)}
    tags["ModalityLUTSequence"][0].ModalityLUTType = "US"
    values = pydicom.pixels.apply_modality_lut(pixels, film(pixels, **tags))
    assert np.array_equal(preview(pixels, **tags).pixels, preview(values.astype(np.uint16)).pixels)


def test_window_that_shows_nothing_is_left_out(preview):
    pixels = noise(low=0, high=100)
    shown = preview(pixels, WindowCenter=3000, WindowWidth=100)
    assert shown.history.steps == ("windowed in vain", "percentile-stretched")
    assert (shown.history.window, shown.pixels.max()) == (None, 255)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_black_whatever_the_photometric(preview, photometric):
    pixels = noise(np.int16, 100, 200)
    pixels[:, :20] = -2000
    shown = preview(pixels, bits=16, PixelPaddingValue=-2000, PhotometricInterpretation=photometric)
    assert not shown.pixels[:, :20].any() and shown.pixels[:, 20:].mean() > 80
    assert "padding black" in shown.history.steps


def test_padding_range(preview):
    pixels = noise(np.uint16, 1000, 2000)
    pixels[:, :10], pixels[:, 10:20] = 4095, 4000
    tags = {"PixelPaddingValue": 4095, "PixelPaddingRangeLimit": 4000}
    shown = preview(pixels, **tags)
    alone = preview_from_array(pixels[:, 20:], SPEC).pixels
    assert not shown.pixels[:, :20].any()
    assert np.array_equal(shown.pixels[:, 20:], alone[:, 10:54]) or shown.pixels[:, 20:].max() == 255


def test_padding_written_in_bits_beyond_those_stored(preview):
    pixels = noise(np.uint16, 0, 1000)
    pixels[:, :20] = 63536
    shown = preview(pixels, PixelPaddingValue=63536, WindowCenter=500, WindowWidth=1000)
    assert not shown.pixels[:, :20].any()


def test_padding_that_leaves_nothing_is_not_believed(preview):
    pixels = noise(np.uint16, 0, 1000)
    shown = preview(pixels, PixelPaddingValue=0, PixelPaddingRangeLimit=999)
    assert "padding ignored" in shown.history.steps
    assert np.array_equal(shown.pixels, preview(pixels).pixels)


@pytest.mark.parametrize("grey", [0, 4095])
def test_burned_in_border_stays_out_of_the_stretch(preview, grey):
    inner = noise(np.int32, 1500, 2000, (44, 44))
    pixels = np.full((64, 64), grey, np.uint16)
    pixels[10:54, 10:54] = inner
    shown = preview(pixels)
    low = np.percentile(inner, 0.5, method="inverted_cdf")
    high = -np.percentile(-inner, 0.5, method="inverted_cdf")
    wanted = np.rint(255 * np.clip((inner - low) / (high - low), 0, 1))
    assert np.array_equal(shown.pixels[10:54, 10:54], wanted)
    assert shown.history.steps == ("border left out", "percentile-stretched")


def test_border_of_any_outline_and_of_a_lossy_grey(preview):
    rows, columns = np.mgrid[:64, :64]
    round_field = (rows - 32) ** 2 + (columns - 32) ** 2 < 28**2
    surround = noise(np.uint16, 0, 8)
    pixels = np.where(round_field, noise(np.uint16, 2000, 2600), surround)
    assert "border left out" in preview(pixels).history.steps


def test_border_is_never_cut_off(preview):
    pixels = np.full((64, 64), 4095, np.uint16)
    pixels[10:54, 10:54] = noise(np.uint16, 1500, 2000, (44, 44))
    shown = preview(pixels)
    assert (shown.pixels[:10] == 255).all() and (shown.pixels[:, 54:] == 255).all()


def test_film_without_a_border_has_none(preview):
    assert "border left out" not in preview(noise()).history.steps


def test_border_of_a_sixteen_bit_picture_stays_out_too():
    pixels = np.full((64, 64), 65535, np.uint16)
    pixels[10:54, 10:54] = noise(np.uint16, 1500, 2000, (44, 44))
    shown = preview_from_array(pixels, SPEC)
    assert shown.history.steps == ("border left out", "percentile-stretched")
    assert shown.pixels[10:54, 10:54].std() > 60


@pytest.mark.parametrize("tags", [{"PixelAspectRatio": [2, 1]}, {"PixelSpacing": [0.4, 0.2]}])
def test_pixels_taller_than_wide_are_made_square(preview, tags):
    # 32 rows of pixels twice as tall as wide are as high as 64 columns are wide.
    pixels = noise(np.uint8, 0, 256, (32, 64))
    shown = preview(pixels, bits=8, WindowCenter=128, WindowWidth=256, **tags)
    wanted = cv2.resize(shown_plain(pixels), (64, 64), interpolation=cv2.INTER_LINEAR)
    assert np.abs(shown.pixels - wanted * 255).max() <= 1
    assert shown.history.steps == ("windowed", "made square")


def shown_plain(pixels):
    return (np.clip((pixels.astype(float) - 0.5 + 0.5) / 255, 0, 1)).astype(np.float32)


def test_pixels_wider_than_tall_are_made_square(preview):
    shown = preview(noise(np.uint8, 0, 256, (64, 32)), bits=8, ImagerPixelSpacing=[0.1, 0.2])
    assert shown.pixels[:, 0].any() and shown.pixels[:, 63].any()


def test_one_side_shrinks_while_the_other_grows(preview):
    # 200 rows become 64 and 40 columns 64; averaging one way must not blur the other.
    pixels = np.tile(np.repeat([0, 255], 20).astype(np.uint8), (200, 1))
    shown = preview(pixels, bits=8, WindowCenter=128, WindowWidth=256, PixelSpacing=[0.1, 0.5])
    assert (shown.pixels[:, :30] == 0).all() and (shown.pixels[:, 34:] == 255).all()


@pytest.mark.parametrize("tags", [{"PixelAspectRatio": [1, 400]}, {"PixelSpacing": [0.2, 0.2000001]}])
def test_aspects_of_no_consequence(preview, tags):
    pixels = noise()
    assert np.array_equal(preview(pixels, **tags).pixels, preview(pixels).pixels)


@pytest.mark.parametrize("bits", [10, 12, 14, 15])
def test_high_bit_away_from_the_stored_bits(preview, bits):
    pixels = noise(high=1 << bits)
    shifted = (pixels << (16 - bits)).astype(np.uint16)
    shown = preview(shifted, bits=bits, HighBit=15)
    assert np.array_equal(shown.pixels, preview(pixels, bits=bits).pixels)


def test_overlay_in_high_bits_is_not_seen(preview):
    pixels = noise()
    overlaid = pixels | np.where(np.eye(64, dtype=bool), 0x8000, 0).astype(np.uint16)
    window = {"WindowCenter": 2048, "WindowWidth": 4096}
    assert np.array_equal(preview(overlaid, **window).pixels, preview(pixels, **window).pixels)


def test_odd_length_and_trailing_bytes(preview):
    pixels = noise(np.uint8, 0, 256, (63, 63))
    plain = preview(pixels, bits=8)
    longer = preview(pixels, bits=8, PixelData=pixels.tobytes() + b"\0" * 101)
    assert np.array_equal(plain.pixels, longer.pixels)


def test_pixel_data_of_two_frames_called_one(preview):
    pixels = noise()
    with pytest.raises(ImageError, match=r"of 16384 bytes; wanted 8192 for one frame"):
        preview(pixels, PixelData=pixels.tobytes() * 2)


def test_ybr_422_uncompressed(preview):
    luminance = noise(np.uint8, 20, 230)
    packed = np.full((64, 32, 4), 128, np.uint8)
    packed[..., 0], packed[..., 1] = luminance[:, ::2], luminance[:, 1::2]
    tags = {"bits": 8, "PhotometricInterpretation": "YBR_FULL_422", "PlanarConfiguration": 0}
    shown = preview(np.zeros((64, 64, 3), np.uint8), PixelData=packed.tobytes(), **tags)
    assert np.array_equal(shown.pixels, luminance)


@pytest.mark.parametrize("planar", [0, 1])
def test_planes_and_pixels(preview, planar):
    pixels = noise(np.uint8, 0, 256, (64, 64, 3))
    stored = pixels.transpose(2, 0, 1) if planar else pixels
    tags = {"bits": 8, "PhotometricInterpretation": "RGB", "PlanarConfiguration": planar}
    shown = preview(pixels, PixelData=np.ascontiguousarray(stored).tobytes(), **tags)
    assert np.abs(shown.pixels - pixels @ [0.299, 0.587, 0.114]).max() < 1


@pytest.mark.parametrize("depth", [8, 16])
def test_palette_shows_its_colours(preview, depth):
    codes, tags = noise(np.uint8, 0, 3), {"bits": 8, "PhotometricInterpretation": "PALETTE COLOR"}
    entries = np.array([0, 90, 255, 0], np.uint16) * (257 if depth == 16 else 1)
    data = film(codes, **tags)
    for colour in ("Red", "Green", "Blue"):
        data.add_new(f"{colour}PaletteColorLookupTableDescriptor", "US", [4, 0, depth])
        data.add_new(
            f"{colour}PaletteColorLookupTableData",
            "OW",
            entries.astype(np.uint8 if depth == 8 else "<u2").tobytes(),
        )
    del tags["bits"]
    made = {e.keyword: e.value for e in data if "Palette" in e.keyword}
    shown = preview(codes, bits=8, **tags, **made)
    assert np.array_equal(shown.pixels, np.array([0, 90, 255], np.uint8)[codes])


@pytest.mark.parametrize(
    ("photometric", "samples", "message"),
    [
        ("MONOCHROME2", 3, "MONOCHROME2 of 3 samples a pixel"),
        ("RGB", 1, "RGB of 1 samples a pixel"),
        ("CMYK", 4, "an unknown photometric interpretation of 4 samples"),
        ("Jane Doe", 1, "an unknown photometric interpretation of 1 samples"),
    ],
)
def test_photometrics_that_are_refused(preview, photometric, samples, message):
    with pytest.raises(ImageError, match=message):
        preview(noise(), PhotometricInterpretation=photometric, SamplesPerPixel=samples)


def test_enhanced_object_of_one_frame(preview):
    window, values, groups = Dataset(), Dataset(), Dataset()
    window.WindowCenter, window.WindowWidth = 3000, 1000
    values.RescaleSlope, values.RescaleIntercept = 2, -100
    groups.FrameVOILUTSequence = Sequence([window])
    groups.PixelValueTransformationSequence = Sequence([values])
    shown = preview(noise(), NumberOfFrames=1, SharedFunctionalGroupsSequence=Sequence([groups]))
    assert (shown.history.window, shown.history.rescale) == ((3000.0, 1000.0), (2.0, -100.0))
