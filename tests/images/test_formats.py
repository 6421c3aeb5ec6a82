"""TIFF, WebP and 16-bit colour -> preview, against pixels made by hand; bombs and damage refused."""

import io
import struct
import tracemalloc

import cv2
import numpy as np
import pytest
from films import noise
from pictures import refused_when_damaged, saved
from PIL import Image

from xemplar.errors import ImageError
from xemplar.images import PreviewSpec, preview_from_array, read_preview

SPEC = PreviewSpec(size=64)


@pytest.fixture
def preview(tmp_path):
    def make(data, spec=SPEC):
        (tmp_path / "film").write_bytes(data)
        return read_preview(tmp_path / "film", spec)

    return make


def bytes_of(high=256, dtype=np.uint8, shape=(64, 64), seed=1):
    return noise(dtype, 0, high, shape, seed)


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_grey_tiff_is_taken_as_displayed(preview, compression):
    pixels = bytes_of()
    shown = preview(saved(Image.fromarray(pixels), "TIFF", compression=compression))
    assert np.array_equal(shown.pixels, pixels)
    assert (shown.history.format, shown.history.steps) == ("TIFF", ())


@pytest.mark.parametrize("order", ["<", ">"])
def test_sixteen_bit_tiff_is_stretched(preview, order):
    pixels = bytes_of(4096, np.uint16)
    shown = preview(tiff(pixels.astype(f"{order}u2"), order, 1))
    assert np.array_equal(shown.pixels, preview_from_array(pixels, SPEC).pixels)
    assert (shown.history.bits_stored, shown.history.steps) == (16, ("percentile-stretched",))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_tiff_whose_white_is_zero_is_turned(preview, dtype):
    pixels = bytes_of(256 if dtype == np.uint8 else 65536, dtype)
    shown = preview(tiff(pixels.astype(pixels.dtype.newbyteorder("<")), "<", 0))
    assert np.array_equal(shown.pixels, preview_from_array(np.iinfo(dtype).max - pixels, SPEC).pixels)


def tiff(pixels, order, photometric, following=0, **changes):
    """A TIFF of one strip, written by hand (TIFF 6.0, section 2)."""
    height, width = pixels.shape
    data = pixels.tobytes()
    tags = {256: width, 257: height, 258: 8 * pixels.dtype.itemsize, 259: 1, 262: photometric}
    tags |= {273: 8, 277: 1, 278: height, 279: len(data)} | {int(k[1:]): v for k, v in changes.items()}
    rows = b"".join(struct.pack(order + "HHII", tag, 4, 1, value) for tag, value in sorted(tags.items()))
    mark = b"II*\0" if order == "<" else b"MM\0*"
    directory = struct.pack(order + "H", len(tags)) + rows + struct.pack(order + "I", following)
    return mark + struct.pack(order + "I", 8 + len(data)) + data + directory


def test_colour_tiff(preview):
    pixels = bytes_of(shape=(64, 64, 3))
    shown = preview(saved(Image.fromarray(pixels), "TIFF"))
    assert np.abs(shown.pixels - pixels @ [0.299, 0.587, 0.114]).max() < 1


@pytest.mark.parametrize("kind", [".png", ".tif"])
def test_sixteen_bit_colour_keeps_its_depth(preview, kind):
    # 12 bits of 16: cut to 8 bits, all but the highest 4 would be lost.
    pixels = bytes_of(4096, np.uint16, (64, 64, 3))
    shown = preview(cv2.imencode(kind, pixels[..., ::-1])[1].tobytes())
    grey = pixels @ np.array([0.299, 0.587, 0.114])
    low, high = np.percentile(grey, [0.5, 99.5])
    assert np.abs(shown.pixels - 255 * np.clip((grey - low) / (high - low), 0, 1)).max() < 2
    assert shown.history.bits_stored == 16


def test_tiff_is_turned_once(preview):
    pixels = bytes_of(shape=(64, 40))
    exif = Image.Exif()
    exif[0x0112] = 6
    shown = preview(saved(Image.fromarray(pixels), "TIFF", exif=exif))
    assert np.array_equal(shown.pixels, preview_from_array(np.rot90(pixels, -1).copy(), SPEC).pixels)


@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_every_turn_agrees_with_pillow(preview, kind, orientation):
    from PIL import ImageOps

    film, exif = Image.fromarray(bytes_of(shape=(64, 40))), Image.Exif()
    exif[0x0112] = orientation
    settings = {"lossless": True} if kind == "WEBP" else {}
    shown = preview(saved(film, kind, exif=exif, **settings))
    upright = Image.open(io.BytesIO(saved(film, "PNG", exif=exif)))
    turned = np.asarray(ImageOps.exif_transpose(upright))
    assert np.abs(shown.pixels.astype(int) - preview_from_array(turned, SPEC).pixels).max() <= 1


def test_lossless_webp_is_taken_as_displayed(preview):
    pixels = bytes_of()
    shown = preview(saved(Image.fromarray(pixels), "WEBP", lossless=True))
    assert np.abs(shown.pixels.astype(int) - pixels).max() <= 1
    assert shown.history.format == "WEBP"


@pytest.mark.parametrize("kind", ["TIFF", "WEBP"])
def test_several_frames_are_refused(preview, kind):
    frames = [Image.fromarray(bytes_of(seed=seed)) for seed in (1, 2)]
    with pytest.raises(ImageError, match=r"several pages|animated WebP"):
        preview(saved(frames[0], kind, save_all=True, append_images=frames[1:]))


def test_floating_point_tiff_is_refused(preview):
    with pytest.raises(ImageError, match="floating-point pixels; wanted whole numbers"):
        preview(saved(Image.fromarray(np.ones((64, 64), np.float32)), "TIFF"))


def test_thirty_two_bits_are_read_where_sixteen_would_do(preview):
    pixels = bytes_of(3000, np.int32) - 1000
    shown = preview(saved(Image.fromarray(pixels), "TIFF"))
    assert np.array_equal(
        shown.pixels, preview_from_array((pixels - pixels.min()).astype(np.uint16), SPEC).pixels
    )


def test_thirty_two_bits_that_need_them_are_refused(preview):
    with pytest.raises(ImageError, match=r"pixels between .* wanted 16 bits"):
        preview(saved(Image.fromarray(bytes_of(1 << 30, np.int32)), "TIFF"))


def bombs():
    small = bytes_of(shape=(16, 16))
    vp8x = struct.pack("<I", 0) + (16383 - 1).to_bytes(3, "little") * 2
    bomb = b"WEBPVP8X" + struct.pack("<I", 10) + vp8x
    vp8l = b"\x2f" + struct.pack("<I", 16382 | 16382 << 14) + b"\0" * 5
    plain = b"WEBPVP8L" + struct.pack("<I", len(vp8l)) + vp8l
    return {
        "tiff": tiff(small, "<", 1, i256=29_000, i257=29_000),
        "tiff of huge tiles": tiff(small, "<", 1, i322=1 << 20, i323=1 << 20),
        "webp": b"RIFF" + struct.pack("<I", len(bomb)) + bomb,
        "lossless webp": b"RIFF" + struct.pack("<I", len(plain)) + plain,
    }


@pytest.mark.parametrize("name", bombs())
def test_bomb_is_refused_before_memory_is_spent(preview, name):
    tracemalloc.start()
    try:
        with pytest.raises(
            ImageError, match=r"^film: (an image of (\d+ x \d+|far too many) pixels|.*large tiles)"
        ):
            preview(bombs()[name])
        assert tracemalloc.get_traced_memory()[1] < 5e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", ["TIFF", "WEBP"])
def test_every_cut_is_refused(preview, kind):
    data = saved(Image.fromarray(bytes_of()), kind)
    for end in [*range(1, 60, 3), *range(60, len(data), 397), len(data) - 1]:
        with pytest.raises(ImageError, match=r"^film: "):
            preview(data[:end])


@pytest.mark.parametrize("kind", ["TIFF", "WEBP"])
def test_damage_gives_a_preview_or_one_error(preview, kind):
    settings = {"compression": "tiff_lzw"} if kind == "TIFF" else {}
    whole = saved(Image.fromarray(bytes_of()), kind, **settings)
    assert refused_when_damaged(preview, whole, 80) > 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data, scan: data[: scan + 400] + data[-2:], "its data end before the picture does"),
        (lambda data, scan: data[:-2] + data[scan + 50 : scan + 90] + data[-2:], "data left over"),
        (lambda data, scan: data[: scan + 400] + b"\xff\xe8\0\4ab" + data[scan + 400 :], r"."),
        (lambda data, scan: data[: scan + 400] + b"\xff\xd0" + data[scan + 400 :], "restarts out of order"),
        (lambda data, scan: data[: scan + 400] + b"\xff\x23" + data[scan + 400 :], "a stray marker"),
    ],
)
def test_jpeg_damaged_within_intact_ends(preview, change, message):
    data = saved(Image.fromarray(bytes_of()), "JPEG")
    scan = data.index(b"\xff\xda") + 10
    with pytest.raises(ImageError, match=f"film: a damaged JPEG: .*{message}"):
        preview(change(data, scan))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"progressive": True},
        {"optimize": True},
        {"restart_marker_rows": 1},
        {"restart_marker_blocks": 3},
        {"quality": 100},
    ],
)
@pytest.mark.parametrize("shape", [(64, 64), (61, 43), (300, 211), (64, 48, 3), (129, 77, 3)])
def test_whole_jpegs_of_every_build_are_read(preview, settings, shape):
    data = saved(Image.fromarray(bytes_of(shape=shape)), "JPEG", **settings)
    theirs = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    if max(shape) < 128:
        assert np.abs(preview(data).pixels.astype(int) - preview_from_array(theirs, SPEC).pixels).max() <= 2
    else:
        assert preview(data).pixels.any()


def test_bytes_after_a_jpegs_end_are_nobodys_business(preview):
    data = saved(Image.fromarray(bytes_of()), "JPEG")
    assert np.array_equal(preview(data + b"\0" * 100).pixels, preview(data).pixels)
