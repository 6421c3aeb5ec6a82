"""PNG and JPEG -> preview, against OpenCV's own decoders and pixels made by hand."""

import struct
import zlib

import cv2
import numpy as np
import pytest
from pictures import refused_when_damaged, saved
from PIL import Image, ImageFile, PngImagePlugin

from xemplar.errors import ImageError
from xemplar.images import PreviewSpec, preview_from_array, read_preview

SPEC = PreviewSpec(size=64)
ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
"""First row, first column, rows between, columns between (PNG specification, 8.1)."""


def noise(shape=(64, 64), dtype=np.uint8, high=256, seed=1):
    return np.random.default_rng(seed).integers(0, high, shape).astype(dtype)


def smooth(height, width, seed=1):
    """Detail of about a tenth of the width, whatever the width."""
    grey = cv2.GaussianBlur(noise((height, width), seed=seed), (0, 0), width / 10)
    return cv2.normalize(grey, None, 0, 255, cv2.NORM_MINMAX)


@pytest.fixture
def preview(tmp_path):
    def make(data, spec=SPEC, name="film"):
        (tmp_path / name).write_bytes(data)
        return read_preview(tmp_path / name, spec)

    return make


def test_grey_png_is_taken_as_displayed(preview):
    pixels = noise()
    assert np.array_equal(preview(saved(Image.fromarray(pixels))).pixels, pixels)


@pytest.mark.parametrize("shape", [(300, 200), (64, 40), (30, 17), (200, 300, 3)])
def test_png_file_and_array_agree_bit_for_bit(preview, shape):
    pixels = noise(shape)
    from_file = preview(cv2.imencode(".png", pixels[..., ::-1] if len(shape) == 3 else pixels)[1].tobytes())
    assert np.array_equal(from_file.pixels, preview_from_array(pixels, SPEC).pixels)


def test_sixteen_bit_png_is_stretched(preview):
    pixels = (noise(high=64, dtype=np.uint16) ** 2 + 300).astype(np.uint16)
    shown = preview(cv2.imencode(".png", pixels)[1].tobytes())
    low = np.percentile(pixels, 0.5, method="inverted_cdf")
    high = -np.percentile(-pixels.astype(int), 0.5, method="inverted_cdf")
    assert np.array_equal(shown.pixels, np.rint(255 * np.clip((pixels - low) / (high - low), 0, 1)))
    assert (shown.history.bits_stored, shown.history.steps) == (16, ("percentile-stretched",))


def test_colour_png_agrees_with_opencv(preview):
    encoded = cv2.imencode(".png", noise((64, 64, 3)))[1]
    theirs = cv2.imdecode(encoded, cv2.IMREAD_COLOR) @ [0.114, 0.587, 0.299]
    shown = preview(encoded.tobytes())
    assert np.abs(shown.pixels - theirs).max() < 1
    assert shown.history.steps == ("grey from colour",) and shown.history.photometric == "RGB"


def test_palette_png_shows_its_colours(preview):
    codes = noise(high=3)
    film = Image.fromarray(codes, "P")
    film.putpalette([0, 0, 0, 90, 90, 90, 255, 255, 255])
    shown = preview(saved(film))
    assert np.array_equal(shown.pixels, np.array([0, 90, 255], np.uint8)[codes])
    assert shown.history.photometric == "PALETTE COLOR"


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_few_bits_span_the_whole_range(preview, bits):
    codes = noise(high=2**bits)
    packed = np.packbits(np.unpackbits(codes[..., None], axis=2)[..., 8 - bits :].reshape(64, -1), axis=1)
    header = struct.pack(">IIBBBBB", 64, 64, bits, 0, 0, 0, 0)
    rows = b"".join(b"\0" + row.tobytes() for row in packed)
    shown = preview(_png((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")))
    assert np.array_equal(shown.pixels, codes.astype(int) * 255 // (2**bits - 1))


def _png(*chunks):
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_laid_on_black(preview, mode):
    grey, alpha = noise(seed=2), noise(seed=3)
    bands = [grey] * (3 if mode == "RGBA" else 1) + [alpha]
    shown = preview(saved(Image.merge(mode, [Image.fromarray(band) for band in bands])))
    assert np.abs(shown.pixels - grey.astype(float) * alpha / 255).max() <= 1
    assert "flattened on black" in shown.history.steps


def test_jpeg_agrees_with_opencv(preview):
    encoded = cv2.imencode(".jpg", smooth(64, 64))[1]
    theirs = cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE)
    shown = preview(encoded.tobytes())
    assert np.abs(shown.pixels.astype(int) - theirs).max() <= 1
    assert shown.history.steps == ()


def test_colour_jpeg_agrees_with_opencv(preview):
    colours = np.dstack([smooth(64, 64, seed) for seed in (1, 2, 3)])
    encoded = cv2.imencode(".jpg", colours, [cv2.IMWRITE_JPEG_QUALITY, 95])[1]
    theirs = cv2.imdecode(encoded, cv2.IMREAD_COLOR) @ [0.114, 0.587, 0.299]
    shown = preview(encoded.tobytes())
    assert np.abs(shown.pixels - theirs).max() < 4
    assert "grey from colour" in shown.history.steps


def test_cmyk_jpeg_is_read(preview):
    film = Image.fromarray(smooth(64, 64))
    shown = preview(saved(Image.merge("RGB", [film] * 3).convert("CMYK"), "JPEG", quality=95))
    assert np.abs(shown.pixels.astype(int) - np.asarray(film)).mean() < 3


@pytest.mark.parametrize(("longer", "drafted"), [(127, False), (128, True), (255, True), (1000, True)])
def test_big_jpeg_is_draft_decoded_to_no_less_than_the_preview(preview, longer, drafted):
    encoded = cv2.imencode(".jpg", smooth(longer * 3 // 4, longer))[1]
    shown = preview(encoded.tobytes())
    assert ("draft decoded" in shown.history.steps) == drafted
    assert (shown.history.height, shown.history.width) == (longer * 3 // 4, longer)
    whole = preview_from_array(cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE), SPEC)
    assert np.abs(shown.pixels.astype(int) - whole.pixels).mean() < 1.5


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize(
    ("orientation", "turn"),
    [(1, lambda a: a), (3, lambda a: a[::-1, ::-1]), (6, lambda a: np.rot90(a, -1)), (8, np.rot90)],
)
def test_exif_turn(preview, kind, orientation, turn):
    film = Image.fromarray(smooth(64, 40))
    exif = Image.Exif()
    exif[0x0112] = orientation
    shown = preview(saved(film, kind, exif=exif, **({"quality": 95} if kind == "JPEG" else {})))
    upright = preview_from_array(np.ascontiguousarray(turn(np.asarray(film))), SPEC)
    assert np.abs(shown.pixels.astype(int) - upright.pixels).max() <= (6 if kind == "JPEG" else 0)
    assert ("exif turn" in shown.history.steps) == (orientation != 1)


@pytest.mark.parametrize("mark", ["synthetic", "figures", "clinical"])
def test_png_says_its_domain(preview, mark):
    text = PngImagePlugin.PngInfo()
    text.add_text("xemplar-domain", mark)
    assert preview(saved(Image.fromarray(noise()), pnginfo=text)).domain == mark


def test_png_without_a_mark_has_no_domain(preview):
    assert preview(saved(Image.fromarray(noise()))).domain is None


def test_unknown_domain_is_refused_unquoted(preview):
    text = PngImagePlugin.PngInfo()
    text.add_text("xemplar-domain", "Jane Doe")
    with pytest.raises(
        ImageError, match=r"^film: an unknown xemplar-domain mark; wanted synthetic or"
    ) as error:
        preview(saved(Image.fromarray(noise()), pnginfo=text))
    assert "Doe" not in str(error.value)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_every_cut_is_refused(preview, kind):
    data = saved(Image.fromarray(noise()), kind)
    for end in [*range(1, 60), *range(60, len(data), 97), len(data) - 2, len(data) - 1]:
        with pytest.raises(ImageError, match=r"^film: "):
            preview(data[:end])


def test_interlaced_png_is_read(preview):
    # Neither Pillow nor OpenCV writes one.
    pixels, passes = noise((16, 16)), b""
    for top, left, down, across in ADAM7:
        passes += b"".join(b"\0" + row.tobytes() for row in pixels[top::down, left::across])
    header = struct.pack(">IIBBBBB", 16, 16, 8, 0, 0, 0, 1)
    shown = preview(_png((b"IHDR", header), (b"IDAT", zlib.compress(passes)), (b"IEND", b"")))
    assert np.array_equal(shown.pixels, preview_from_array(pixels, SPEC).pixels)


def test_png_short_of_pixels_is_refused(preview):
    header = struct.pack(">IIBBBBB", 64, 64, 8, 0, 0, 0, 0)
    half = zlib.compress(bytes(65 * 32))
    with pytest.raises(ImageError, match="a PNG short of pixels"):
        preview(_png((b"IHDR", header), (b"IDAT", half), (b"IEND", b"")))


def test_png_with_a_flipped_bit_is_refused(preview):
    data = bytearray(saved(Image.fromarray(noise())))
    data[len(data) // 2] ^= 1
    with pytest.raises(ImageError, match="damaged PNG"):
        preview(bytes(data))


def test_damaged_jpeg_gives_a_preview_or_one_error(preview):
    whole = saved(Image.fromarray(smooth(64, 64)), "JPEG")
    assert 0 < refused_when_damaged(preview, whole, 300) < 300


def test_filling_in_is_refused_whoever_turned_it_on(preview, monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with pytest.raises(ImageError, match="LOAD_TRUNCATED_IMAGES = False"):
        preview(saved(Image.fromarray(noise())))


def test_decompression_bomb_is_refused_by_its_header(preview):
    header = struct.pack(">IIBBBBB", 29_000, 29_000, 8, 0, 0, 0, 0)
    with pytest.raises(ImageError, match="an image of 29000 x 29000 pixels; wanted at most 30000 a side"):
        preview(_png((b"IHDR", header), (b"IDAT", zlib.compress(bytes(99))), (b"IEND", b"")))


def test_jpeg_bomb_is_refused_by_its_header(preview):
    data = saved(Image.fromarray(noise()), "JPEG")
    at = data.index(b"\xff\xc0") + 5
    with pytest.raises(ImageError, match=r"^film: "):
        preview(data[:at] + struct.pack(">HH", 60_000, 60_000) + data[at + 4 :])


def test_small_images_are_refused(preview):
    with pytest.raises(ImageError, match="an image of 7 x 64 pixels; wanted 8 pixels a side"):
        preview(saved(Image.fromarray(noise((7, 64)))))


def test_animated_png_is_refused(preview):
    frames = [Image.fromarray(noise(seed=seed)) for seed in (1, 2)]
    with pytest.raises(ImageError, match="an animated PNG; wanted one frame"):
        preview(saved(frames[0], save_all=True, append_images=frames[1:]))


@pytest.mark.parametrize(
    ("data", "looks"),
    [
        (b"", r"an empty file \(0 bytes\)"),
        (bytes(5000), "looks like nothing but zero bytes"),
        (b"%PDF-1.7 ...", "looks like a PDF"),
        (b"PK\x03\x04" + bytes(60), "looks like a zip archive"),
        (b"GIF89a" + bytes(60), "looks like a GIF; wanted a PNG, JPEG, TIFF, WebP or DICOM image"),
        (b"BM" + bytes(60), "looks like a BMP; wanted a PNG"),
        (b"MM\0+" + bytes(60), "looks like a BigTIFF"),
        (bytes(4) + b"ftypheic" + bytes(60), "looks like a HEIF, AVIF or MP4 file"),
        (b"Patient Jane Doe", "looks like text;"),
        (b"\x01\x02\x03\x04\x05", "looks like unknown binary data; wanted a PNG"),
        (b"\x08\0\x05\0\x0a\0\0\0ISO_IR 100", "object of no stated class: no pixel data"),
    ],
)
def test_what_is_no_image(preview, data, looks):
    with pytest.raises(ImageError, match=f"^film: {looks}"):
        preview(data)


def test_content_counts_and_not_the_name(preview):
    assert preview(saved(Image.fromarray(noise())), name="film.dcm").history.format == "PNG"


def test_missing_file_is_named(tmp_path):
    with pytest.raises(ImageError, match=r"^gone\.png: no such file"):
        read_preview(tmp_path / "gone.png", SPEC)


def test_folder_is_refused(tmp_path):
    with pytest.raises(ImageError, match="wanted an image file"):
        read_preview(tmp_path, SPEC)
