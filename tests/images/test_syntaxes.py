"""Every transfer syntax: the picture is that of the same film uncompressed; lies and cuts are refused."""

import io
import struct

import cv2
import numpy as np
import pydicom
import pytest
from films import by_gdcm, compressed, file_bytes, film, jpeg2000, jpeg_ls, noise, rle
from PIL import Image as Pillow
from pydicom.encaps import encapsulate, generate_frames

from xemplar.errors import ImageError
from xemplar.images import PreviewSpec, read_preview

SPEC = PreviewSpec(size=64)
SYNTAX = "1.2.840.10008.1.2.4."
WINDOW = {"WindowCenter": 2048, "WindowWidth": 4096}


def smooth(height, width, high=4095, seed=1):
    """Detail of about an eighth of the height, so that halving it loses little."""
    grey = cv2.GaussianBlur(noise(np.float32, shape=(height, width), seed=seed), (0, 0), height / 8)
    return cv2.normalize(grey, None, 0, high, cv2.NORM_MINMAX).astype(np.uint16)


@pytest.fixture
def shown(tmp_path):
    def make(data, spec=SPEC):
        path = tmp_path / "film.dcm"
        path.write_bytes(data if isinstance(data, bytes) else file_bytes(data))
        return read_preview(path, spec)

    return make


LOSSLESS = {
    "jpeg lossless": lambda pixels: by_gdcm(film(pixels, **WINDOW), SYNTAX + "57"),
    "jpeg lossless sv1": lambda pixels: by_gdcm(film(pixels, **WINDOW), SYNTAX + "70"),
    "jpeg-ls": lambda pixels: compressed(pixels, jpeg_ls(pixels), SYNTAX + "80", **WINDOW),
    "jpeg 2000": lambda pixels: compressed(pixels, jpeg2000(pixels), SYNTAX + "90", **WINDOW),
    "rle": lambda pixels: compressed(pixels, rle(pixels), "1.2.840.10008.1.2.5", **WINDOW),
    "deflated": lambda pixels: film(pixels, syntax="1.2.840.10008.1.2.1.99", **WINDOW),
    "implicit": lambda pixels: film(pixels, syntax="1.2.840.10008.1.2", **WINDOW),
}


@pytest.mark.parametrize("name", LOSSLESS)
def test_lossless_syntax_gives_the_picture_of_the_plain_film(shown, name):
    pixels = noise()
    found = shown(LOSSLESS[name](pixels))
    assert np.array_equal(found.pixels, shown(film(pixels, **WINDOW)).pixels)
    assert found.history.transfer_syntax != "1.2.840.10008.1.2.1"


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_big_endian(shown, dtype):
    pixels = noise(dtype, 0, 256)
    data = film(pixels, bits=8 if dtype == np.uint8 else 12, syntax="1.2.840.10008.1.2.2")
    data.PixelData = pixels.astype(pixels.dtype.newbyteorder(">")).tobytes()
    data["PixelData"].VR = "OB" if dtype == np.uint8 else "OW"
    assert np.array_equal(shown(data).pixels, shown(film(pixels, bits=12)).pixels)


def test_bytes_in_big_endian_words_are_swapped(shown):
    pixels = noise(np.uint8, 0, 256)
    data = film(pixels, bits=8, syntax="1.2.840.10008.1.2.2")
    data.PixelData = pixels.reshape(-1, 2)[:, ::-1].tobytes()
    data["PixelData"].VR = "OW"
    assert np.array_equal(shown(data).pixels, shown(film(pixels, bits=8)).pixels)


@pytest.mark.parametrize(
    ("name", "frame", "syntax", "most"),
    [
        ("jpeg-ls near-lossless", lambda pixels: jpeg_ls(pixels, lossy=8), "81", 1),
        ("jpeg 2000 lossy", lambda pixels: jpeg2000(pixels, ratio=4), "91", 3),
    ],
)
def test_lossy_syntax_stays_near_the_plain_film(shown, name, frame, syntax, most):
    pixels = smooth(64, 64)
    found = shown(compressed(pixels, frame(pixels), SYNTAX + syntax, **WINDOW)).pixels.astype(int)
    assert np.abs(found - shown(film(pixels, **WINDOW)).pixels).max() <= most


@pytest.mark.parametrize("name", ["jpeg lossless", "jpeg-ls", "rle"])
def test_signed_values_survive_compression(shown, name):
    pixels = noise(np.int16, -2000, 2000)
    plain = film(pixels, bits=16, WindowCenter=0, WindowWidth=4000)
    frames = {"jpeg-ls": lambda: jpeg_ls(pixels.view(np.uint16), bits=16), "rle": lambda: rle(pixels)}
    syntaxes = {"jpeg-ls": SYNTAX + "80", "rle": "1.2.840.10008.1.2.5"}
    if name == "jpeg lossless":
        data = by_gdcm(plain, SYNTAX + "70")
    else:
        data = compressed(pixels, frames[name](), syntaxes[name], bits=16, WindowCenter=0, WindowWidth=4000)
    assert np.array_equal(shown(data).pixels, shown(plain).pixels)


@pytest.mark.parametrize(("dtype", "bits"), [(np.int16, 12), (np.int16, 16), (np.uint16, 16), (np.uint8, 8)])
@pytest.mark.parametrize("shape", [(256, 256), (531, 473), (390, 517)])
def test_jpeg2000_at_a_lower_resolution_keeps_its_values(shown, dtype, bits, shape):
    half = 0 if np.issubdtype(dtype, np.unsignedinteger) else 1 << (bits - 1)
    pixels = (smooth(*shape, high=(1 << bits) - 1).astype(int) - half).astype(dtype)
    window = {"WindowCenter": (1 << (bits - 1)) - half, "WindowWidth": 1 << bits}
    found = shown(compressed(pixels, jpeg2000(pixels, bits), SYNTAX + "90", bits=bits, **window))
    plain = shown(film(pixels, bits=bits, **window))
    assert found.history.steps[0] in ("decoded at 1/4", "decoded at 1/8")
    assert (found.history.height, found.history.width) == shape
    # Half a pixel of shift at most: the wavelet's samples stand at the corners of what they stand for.
    assert np.abs(found.pixels.astype(int) - plain.pixels).mean() < 3
    assert abs(found.pixels.mean() - plain.pixels.mean()) < 1


@pytest.mark.parametrize(("longer", "step"), [(126, None), (127, "1/2"), (252, "1/2"), (253, "1/4")])
def test_jpeg2000_is_never_decoded_below_the_preview(shown, longer, step):
    pixels = smooth(longer, longer * 3 // 4)
    steps = shown(compressed(pixels, jpeg2000(pixels), SYNTAX + "90", **WINDOW)).history.steps
    assert [word for word in steps if "decoded" in word] == ([f"decoded at {step}"] if step else [])


@pytest.mark.parametrize("photometric", ["RGB", "YBR_RCT"])
def test_colour_jpeg2000(shown, photometric):
    pixels = noise(np.uint8, 0, 256, (64, 64, 3))
    frame = jpeg2000(pixels, bits=8)
    data = compressed(pixels, frame, SYNTAX + "90", bits=8, PhotometricInterpretation=photometric)
    data.PlanarConfiguration = 0
    assert np.abs(shown(data).pixels - pixels @ [0.299, 0.587, 0.114]).max() < 1


@pytest.mark.parametrize("coder", ["rle", "jpeg-ls"])
def test_colour_in_planes_or_pixels(shown, coder):
    pixels = noise(np.uint8, 0, 256, (64, 64, 3))
    frame = rle(pixels) if coder == "rle" else jpeg_ls(pixels, bits=8)
    syntax = "1.2.840.10008.1.2.5" if coder == "rle" else SYNTAX + "80"
    data = compressed(pixels, frame, syntax, bits=8, PhotometricInterpretation="RGB", PlanarConfiguration=0)
    assert np.abs(shown(data).pixels - pixels @ [0.299, 0.587, 0.114]).max() < 1


@pytest.mark.parametrize(
    ("photometric", "settings"),
    [
        ("YBR_FULL_422", {"subsampling": "4:2:2"}),
        ("YBR_FULL", {"subsampling": "4:4:4"}),
        ("RGB", {"keep_rgb": True}),
    ],
)
def test_colour_jpeg_inside_dicom(shown, photometric, settings):
    pixels = np.dstack([smooth(64, 64, 255, seed) for seed in (1, 2, 3)]).astype(np.uint8)
    file = io.BytesIO()
    Pillow.fromarray(pixels).save(file, "JPEG", quality=95, **settings)
    data = compressed(
        pixels,
        file.getvalue(),
        SYNTAX + "50",
        bits=8,
        PhotometricInterpretation=photometric,
        PlanarConfiguration=0,
    )
    assert np.abs(shown(data).pixels - pixels @ [0.299, 0.587, 0.114]).max() <= 4


def test_big_jpeg_inside_dicom_is_draft_decoded(shown):
    pixels = smooth(512, 400, 255).astype(np.uint8)
    frame = cv2.imencode(".jpg", pixels)[1].tobytes()
    found = shown(compressed(pixels, frame, SYNTAX + "50", bits=8, WindowCenter=128, WindowWidth=256))
    assert "draft decoded" in found.history.steps
    plain = shown(film(pixels, bits=8, WindowCenter=128, WindowWidth=256)).pixels
    assert np.abs(found.pixels.astype(int) - plain).mean() < 1.5


def test_frame_in_several_fragments(shown):
    pixels = noise()
    data = compressed(pixels, b"12", SYNTAX + "80", **WINDOW)
    data.PixelData = encapsulate([jpeg_ls(pixels)], fragments_per_frame=3)
    assert np.array_equal(shown(data).pixels, shown(film(pixels, **WINDOW)).pixels)


def test_the_stream_counts_and_not_the_syntax(shown):
    # JPEG-LS called JPEG 2000: what the bytes are is plain to see.
    pixels = noise()
    assert np.array_equal(
        shown(compressed(pixels, jpeg_ls(pixels), SYNTAX + "90", **WINDOW)).pixels,
        shown(film(pixels, **WINDOW)).pixels,
    )


def frames():
    pixels = noise()
    return {
        "jpeg lossless": next(
            generate_frames(
                pydicom.dcmread(io.BytesIO(LOSSLESS["jpeg lossless"](pixels))).PixelData, number_of_frames=1
            )
        ),
        "jpeg-ls": jpeg_ls(pixels),
        "jpeg 2000": jpeg2000(pixels),
        "rle": rle(pixels),
        "jpeg": cv2.imencode(".jpg", noise(np.uint8, 0, 256))[1].tobytes(),
    }


OF = {"jpeg lossless": "57", "jpeg-ls": "80", "jpeg 2000": "90", "jpeg": "50"}


@pytest.mark.parametrize("name", frames())
@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
def test_frame_cut_short_is_refused(shown, name, share):
    whole = frames()[name].rstrip(b"\0")
    syntax = SYNTAX + OF[name] if name in OF else "1.2.840.10008.1.2.5"
    pixels = noise(np.uint8 if name == "jpeg" else np.uint16)
    with pytest.raises(ImageError, match=r"^film\.dcm: "):
        shown(compressed(pixels, whole[: int(share * len(whole))], syntax))


@pytest.mark.parametrize("name", frames())
def test_damaged_frame_gives_a_preview_or_one_error(shown, name):
    draw, whole = np.random.default_rng(4), frames()[name]
    syntax = SYNTAX + OF[name] if name in OF else "1.2.840.10008.1.2.5"
    pixels, refused = noise(np.uint8 if name == "jpeg" else np.uint16), 0
    for _ in range(60):
        frame = bytearray(whole)
        for at in draw.integers(0, len(frame), 6) % (300 if draw.random() < 0.7 else len(frame)):
            frame[at] = draw.integers(256)
        try:
            shown(compressed(pixels, bytes(frame), syntax))
        except ImageError:
            refused += 1
    assert refused > 0


@pytest.mark.parametrize(("name", "at"), [("jpeg-ls", 5), ("jpeg lossless", 5)])
def test_frame_of_another_size_than_the_header_says(shown, name, at):
    frame = bytearray(frames()[name])
    start = frame.index(b"\xff\xf7" if name == "jpeg-ls" else b"\xff\xc3")
    frame[start + at : start + at + 4] = struct.pack(">HH", 40, 50)
    with pytest.raises(ImageError, match="a frame of 40 x 50 x 1; wanted 64 x 64 x 1 as the header says"):
        shown(compressed(noise(), bytes(frame), SYNTAX + OF[name]))


def test_jpeg2000_that_claims_a_huge_grid_is_refused_by_its_header(shown):
    frame = bytearray(jpeg2000(noise()))
    frame[8:16] = struct.pack(">II", 60_000, 60_000)
    with pytest.raises(ImageError, match="an image of 60000 x 60000 pixels"):
        shown(compressed(noise(), bytes(frame), SYNTAX + "90"))


def test_jpeg2000_of_a_million_tiles_is_refused_by_its_header(shown):
    frame = bytearray(jpeg2000(noise()))
    frame[8:16] = struct.pack(">II", 3000, 3000)
    frame[24:32] = struct.pack(">II", 2, 2)
    with pytest.raises(ImageError, match="too many tiles"):
        shown(compressed(noise(), bytes(frame), SYNTAX + "90"))


@pytest.mark.parametrize(("name", "code"), [("jpeg lossless", b"\xff\xc3"), ("jpeg", b"\xff\xc0")])
def test_few_bytes_that_claim_many_pixels(shown, name, code):
    frame = bytearray(frames()[name])
    at = frame.index(code) + 5
    frame[at : at + 4] = struct.pack(">HH", 8000, 8000)
    data = compressed(noise(), bytes(frame), SYNTAX + OF[name], Rows=8000, Columns=8000)
    with pytest.raises(ImageError, match=r"bytes that claims 8000 x 8000 pixels"):
        shown(data)


def test_few_rle_bytes_that_claim_many_pixels(shown):
    data = compressed(noise(), rle(noise()), "1.2.840.10008.1.2.5", Rows=8000, Columns=8000)
    with pytest.raises(ImageError, match="an RLE frame that is cut short"):
        shown(data)


@pytest.mark.parametrize(
    ("syntax", "message"),
    [
        (SYNTAX + "102", "compressed as MPEG-4 AVC/H.264 High Profile .*: no decoder for it here"),
        ("1.2.3.4.5", "compressed as something private: no decoder for it here"),
        (SYNTAX + "80", "not compressed as the transfer syntax says"),
    ],
)
def test_syntaxes_that_are_refused(shown, syntax, message):
    data = file_bytes(film(noise(), **WINDOW))
    meta = pydicom.dcmread(io.BytesIO(data)).file_meta
    rest = data[144 + meta.FileMetaInformationGroupLength :]
    meta.TransferSyntaxUID, file = syntax, io.BytesIO()
    pydicom.filewriter.write_file_meta_info(file, meta)
    with pytest.raises(ImageError, match=message):
        shown(data[:132] + file.getvalue() + rest)


def test_several_offsets_are_several_frames(shown):
    pixels = noise()
    data = compressed(pixels, b"12", SYNTAX + "80")
    data.PixelData = encapsulate([jpeg_ls(pixels), jpeg_ls(pixels)], has_bot=True)
    with pytest.raises(ImageError, match="a multi-frame object of 2 frames"):
        shown(data)
