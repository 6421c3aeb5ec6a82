"""DICOM films made by hand, and compressed by encoders, for the tests of the images room."""

import io

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian

CR = "1.2.840.10008.5.1.4.1.1.1"
SYNTAX = "1.2.840.10008.1.2.4."


def noise(dtype=np.uint16, low=0, high=4096, shape=(64, 64), seed=1):
    return np.random.default_rng(seed).integers(low, high, shape).astype(dtype)


def film(pixels, *, bits=12, syntax=ExplicitVRLittleEndian, **tags):
    """A small radiograph; `tags` overrides or, with None, leaves out."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = syntax
    data.file_meta.MediaStorageSOPClassUID = CR
    data.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    data.SOPClassUID, data.SOPInstanceUID = CR, "1.2.3.4"
    data.Rows, data.Columns = pixels.shape[:2]
    data.SamplesPerPixel = 1 if pixels.ndim == 2 else 3
    data.PhotometricInterpretation = "MONOCHROME2"
    data.BitsAllocated = 8 * pixels.dtype.itemsize
    data.BitsStored, data.HighBit = min(bits, data.BitsAllocated), min(bits, data.BitsAllocated) - 1
    data.PixelRepresentation = int(np.issubdtype(pixels.dtype, np.signedinteger))
    data.PixelData = pixels.tobytes()
    for keyword, value in tags.items():
        if value is None:
            del data[keyword]
        else:
            setattr(data, keyword, value)
    return data


def written(path, data):
    data.save_as(path, enforce_file_format=True)
    return path


def file_bytes(data):
    file = io.BytesIO()
    data.save_as(file, enforce_file_format=True)
    return file.getvalue()


def compressed(pixels, frame, syntax, **tags):
    """A film whose one frame is already compressed."""
    return film(pixels, syntax=syntax, PixelData=encapsulate([frame]), **tags)


def jpeg_ls(pixels, lossy=0, bits=12):
    import jpeg_ls as coder

    height, width = pixels.shape[:2]
    samples = 1 if pixels.ndim == 2 else 3
    mode = 0 if samples == 1 else 2
    return bytes(coder.encode_buffer(pixels.tobytes(), height, width, samples, bits, lossy, mode))


def jpeg2000(pixels, bits=12, ratio=None):
    from openjpeg.utils import encode_array

    settings = {"compression_ratios": [ratio]} if ratio else {}
    photometric = 2 if pixels.ndim == 2 else 1
    return bytes(encode_array(pixels, bits_stored=bits, photometric_interpretation=photometric, **settings))


def rle(pixels):
    from rle.utils import encode_pixel_data

    height, width = pixels.shape[:2]
    return encode_pixel_data(
        pixels.tobytes(),
        rows=height,
        columns=width,
        samples_per_pixel=1 if pixels.ndim == 2 else 3,
        bits_allocated=8 * pixels.dtype.itemsize,
        number_of_frames=1,
        byteorder="<",
    )


def by_gdcm(data, syntax):
    """A native data set, compressed by gdcm into another syntax -> file bytes."""
    import os
    import tempfile

    import gdcm

    with tempfile.TemporaryDirectory() as folder:
        plain, packed = os.path.join(folder, "plain.dcm"), os.path.join(folder, "packed.dcm")
        data.save_as(plain, enforce_file_format=True)
        reader = gdcm.ImageReader()
        reader.SetFileName(plain)
        assert reader.Read()
        change = gdcm.ImageChangeTransferSyntax()
        change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(str(syntax))))
        change.SetInput(reader.GetImage())
        assert change.Change()
        writer = gdcm.ImageWriter()
        writer.SetFileName(packed)
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        assert writer.Write()
        with open(packed, "rb") as file:
            return file.read()
