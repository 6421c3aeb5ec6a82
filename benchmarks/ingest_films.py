"""The films that ingest's rate is measured on, one kind for each transfer syntax, and their bare decode.

Knows encoders and decoders; measures nothing. JPEG extended of 12 bits and HTJ2K are missing: no encoder for
them is at hand.
"""

import zlib
from functools import cache
from itertools import islice

import cv2
import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, generate_frames

from xemplar.contracts import Drawable
from xemplar.images import PreviewSpec
from xemplar.images.codestream import read_codestream
from xemplar.images.frames import decode_frame, decode_rle
from xemplar.sources import phantom

HEIGHT, WIDTH, BITS = 2048, 1760, 12
PRE = "1.2.840.10008.1.2."
SYNTAXES = {
    "JPEG baseline": PRE + "4.50",
    "JPEG lossless": PRE + "4.57",
    "JPEG lossless SV1": PRE + "4.70",
    "JPEG-LS lossless": PRE + "4.80",
    "JPEG-LS near-lossless": PRE + "4.81",
    "JPEG 2000 lossless": PRE + "4.90",
    "JPEG 2000": PRE + "4.91",
    "RLE": PRE + "5",
    "deflated": PRE + "1.99",
    "explicit little endian": PRE + "1",
    "implicit little endian": PRE[:-1],
    "explicit big endian": PRE + "2",
}
BY_GDCM = "JPEG lossless"
DISTINCT, WHOLE = 4, 1 << 20
SPEC = PreviewSpec()


@cache
def drawn_films():
    """The first films that the phantom draws."""
    images = (image for arrival in phantom.studies(100) for image in arrival.images)
    drawable = (image for image in images if isinstance(image, Drawable))
    return [image.draw() for image in islice(drawable, DISTINCT)]


def film_pixels(number, bits):
    """A phantom's film, enlarged, at `bits`, with the noise of a detector."""
    drawn = cv2.resize(drawn_films()[number], (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    top = (1 << bits) - 1
    noisy = drawn * np.float32(top / 255) + np.random.default_rng(number).normal(0, top / 350, drawn.shape)
    return np.clip(noisy, 0, top).astype(np.uint16 if bits > 8 else np.uint8)


def dataset(pixels, syntax, bits):
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = syntax
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1"
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    data.Rows, data.Columns, data.SamplesPerPixel = HEIGHT, WIDTH, 1
    data.PhotometricInterpretation, data.PixelRepresentation = "MONOCHROME2", 0
    data.BitsAllocated, data.BitsStored, data.HighBit = 8 * pixels.dtype.itemsize, bits, bits - 1
    data.WindowCenter, data.WindowWidth = 1 << (bits - 1), 1 << bits
    stored = pixels.byteswap() if syntax == PRE + "2" else pixels
    data.PixelData = stored.tobytes()
    return data


def frame_of(name, pixels):
    """One frame compressed by the encoder of the syntax."""
    if name == "JPEG baseline":
        return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
    if name.startswith("JPEG-LS"):
        from jpeg_ls import encode_buffer

        return bytes(encode_buffer(pixels.tobytes(), HEIGHT, WIDTH, 1, BITS, 2 if "near" in name else 0, 0))
    if name.startswith("JPEG 2000"):
        from openjpeg.utils import encode_array

        ratio = {} if "lossless" in name else {"compression_ratios": [12]}
        return bytes(encode_array(pixels, bits_stored=BITS, photometric_interpretation=2, **ratio))
    from rle.utils import encode_pixel_data

    shape = {"rows": HEIGHT, "columns": WIDTH, "samples_per_pixel": 1, "number_of_frames": 1}
    return encode_pixel_data(pixels.tobytes(), bits_allocated=16, byteorder="<", **shape)


def by_gdcm(path, syntax):
    import gdcm

    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(syntax)))
    if not reader.Read():
        raise RuntimeError("gdcm doesn't read the film")
    change.SetInput(reader.GetImage())
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(path))
    if not change.Change():
        raise RuntimeError("gdcm doesn't compress the film")
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    if not writer.Write():
        raise RuntimeError("gdcm doesn't write the film")


def write_films(name, syntax, folder):
    """`DISTINCT` files of a syntax."""
    bits = 8 if name == "JPEG baseline" else BITS
    paths = []
    for number in range(DISTINCT):
        pixels, path = film_pixels(number, bits), folder / f"{syntax}-{number}.dcm"
        packed = name.startswith(("JPEG-LS", "JPEG 2000", "JPEG baseline", "RLE"))
        plain = PRE + "1" if name.startswith(BY_GDCM) else syntax
        data = dataset(pixels, plain, bits)
        if packed:
            data.PixelData = encapsulate([frame_of(name, pixels)])
        data.save_as(path, enforce_file_format=True)
        if name.startswith(BY_GDCM):
            by_gdcm(path, syntax)
        paths.append(path)
    return paths


@cache
def frame_in(path):
    """What the bare decoder is given: the frame's bytes and, of a codestream, its header, read beforehand."""
    data = dcmread(path)
    if path.name.startswith(PRE + "1.99-"):
        return path.read_bytes()[144 + data.file_meta.FileMetaInformationGroupLength :], None
    if not data.file_meta.TransferSyntaxUID.is_encapsulated:
        return bytes(data.PixelData), None
    frame = next(generate_frames(data.PixelData, number_of_frames=1))
    rle = data.file_meta.TransferSyntaxUID == PRE + "5"
    return frame, None if rle else read_codestream(frame, "film")


def bare(path, least=WHOLE):
    """The plugin's decode of a film's frame to an array, nothing else; of deflated ones, inflating too."""
    frame, stream = frame_in(path)
    if stream is not None:
        return int(decode_frame(stream, least, "film", luminance=False)[0][0, 0])
    if path.name.startswith(PRE + "5-"):
        return int(decode_rle(frame, (HEIGHT, WIDTH, 1), 16, where="film")[0, 0])
    if path.name.startswith(PRE + "1.99-"):
        frame = zlib.decompress(frame, -15)[-2 * HEIGHT * WIDTH :]
    order = ">u2" if path.name.startswith(PRE + "2-") else "<u2"
    return int(np.frombuffer(frame, order).astype(np.uint16)[0])
