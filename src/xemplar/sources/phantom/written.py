"""A drawn view as a DICOM file of 12 bits: one study in eight comes so, as films do from a hospital.

Knows Digital X-Ray objects and how pydicom writes them. Everything in a file follows from the study:
the same bytes at every call, as far as the compressing libraries keep to theirs.
"""

from __future__ import annotations

import io
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from xemplar.images.marks import mark_dataset
from xemplar.sources.phantom.film import DEEP, DrawnView
from xemplar.sources.phantom.lossless import jpeg_lossless
from xemplar.sources.phantom.truth import Storage, Syntax

if TYPE_CHECKING:
    from pydicom import Dataset

DIGITAL_XRAY = "1.2.840.10008.5.1.4.1.1.1.1"
SYNTAXES: dict[Syntax, str] = {
    "explicit": "1.2.840.10008.1.2.1",
    "implicit": "1.2.840.10008.1.2",
    "rle": "1.2.840.10008.1.2.5",
    "jpeg-ls": "1.2.840.10008.1.2.4.80",
    "jpeg2000": "1.2.840.10008.1.2.4.90",
    "jpeg-lossless": "1.2.840.10008.1.2.4.70",
}
PLUGINS: dict[Syntax, str] = {"rle": "pydicom", "jpeg-ls": "pyjpegls", "jpeg2000": "pylibjpeg"}
"""Which of pydicom's encoders writes it: named, so that another one installed changes no byte."""
SPACING = 1.2
"""Millimetres from pixel to pixel at the detector."""
WINDOW = (2060.0, 3900.0)
"""Centre and width of bone-bright values, before any rescale."""


def uid_of(name: str) -> str:
    """A name -> its UID under 2.25, always the same."""
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_URL, f'xemplar:{name}').int}"


@dataclass(frozen=True, slots=True)
class WrittenView:
    """One view that is written when asked: small, picklable, and a `contracts.Written`."""

    view: DrawnView
    storage: Storage
    patient_id: str
    study_id: str
    number: int
    """Of the view within its study, from 0."""
    acquired_at: datetime

    @property
    def sop_instance_uid(self) -> str:
        """The file's own UID."""
        return uid_of(f"{self.study_id}-{self.number}")

    def data(self) -> bytes:
        """The whole DICOM file."""
        from pydicom import dcmwrite

        dataset = self._described()
        stored = self.view.draw_deep()
        self._with_pixels(dataset, DEEP - stored if self.storage.inverted else stored)
        written = io.BytesIO()
        dcmwrite(written, dataset, enforce_file_format=True)
        return written.getvalue()

    def _described(self) -> Dataset:
        """Everything but the pixels."""
        from pydicom import Dataset
        from pydicom.dataset import FileMetaDataset

        body, shot = self.view.body, self.view.shot
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = DIGITAL_XRAY, self.sop_instance_uid
        meta.TransferSyntaxUID = SYNTAXES[self.storage.syntax]
        meta.ImplementationClassUID = uid_of("phantom")
        meta.ImplementationVersionName = "XEMPLAR_PHANTOM"
        told = Dataset()
        told.file_meta = meta
        told.SOPClassUID, told.SOPInstanceUID = DIGITAL_XRAY, self.sop_instance_uid
        told.PatientName, told.PatientID = "DRAWN^PHANTOM", self.patient_id
        told.PatientBirthDate, told.PatientSex, told.PatientAge = "", body.sex, f"{body.age:03d}Y"
        told.StudyInstanceUID = uid_of(self.study_id)
        told.SeriesInstanceUID = uid_of(f"{self.study_id}-series-{self.number}")
        told.StudyID, told.SeriesNumber, told.InstanceNumber = "1", self.number + 1, 1
        told.AccessionNumber, told.ReferringPhysicianName, told.Manufacturer = "", "", "Xemplar, drawn"
        told.StudyDate = told.AcquisitionDate = told.ContentDate = f"{self.acquired_at:%Y%m%d}"
        told.StudyTime = told.AcquisitionTime = told.ContentTime = f"{self.acquired_at:%H%M%S}"
        told.Modality, told.PresentationIntentType = "DX", "FOR PRESENTATION"
        told.ImageType, told.BodyPartExamined = ["ORIGINAL", "PRIMARY", ""], "CHEST"
        told.ViewPosition, told.ImageLaterality = shot.projection, "U"
        told.PatientOrientation = ["P", "F"] if shot.position == "lateral" else ["L", "F"]
        told.AnatomicRegionSequence = [_code("51185008", "SCT", "Chest")]
        told.AcquisitionContextSequence, told.DetectorType = [], "DIRECT"
        told.ImagerPixelSpacing = [SPACING, SPACING]
        told.BurnedInAnnotation, told.LossyImageCompression = "YES", "00"
        mark_dataset(told, "synthetic")
        return told

    def _with_pixels(self, told: Dataset, stored: NDArray[np.uint16]) -> None:
        """The image's own elements: how its values are meant, and the values."""
        from pydicom.encaps import encapsulate

        told.SamplesPerPixel, told.Rows, told.Columns = 1, *stored.shape
        told.PhotometricInterpretation = "MONOCHROME1" if self.storage.inverted else "MONOCHROME2"
        told.PresentationLUTShape = "INVERSE" if self.storage.inverted else "IDENTITY"
        told.PixelIntensityRelationship = "LOG"
        told.PixelIntensityRelationshipSign = 1 if self.storage.inverted else -1
        told.BitsAllocated, told.BitsStored, told.HighBit, told.PixelRepresentation = 16, 12, 11, 0
        slope, intercept = self.storage.rescale or (1.0, 0.0)
        if self.storage.rescale:
            told.RescaleSlope, told.RescaleIntercept, told.RescaleType = slope, intercept, "US"
        if self.storage.windowed:
            centre = DEEP - WINDOW[0] if self.storage.inverted else WINDOW[0]
            told.WindowCenter, told.WindowWidth = slope * centre + intercept, slope * WINDOW[1]
        values = stored.astype("<u2")
        if self.storage.syntax == "jpeg-lossless":
            told.PixelData = encapsulate([jpeg_lossless(stored)])
            told["PixelData"].VR = "OB"
            return
        told.PixelData = values.tobytes()
        told["PixelData"].VR = "OW"
        if plugin := PLUGINS.get(self.storage.syntax):
            told.file_meta.TransferSyntaxUID = SYNTAXES["explicit"]
            told.compress(SYNTAXES[self.storage.syntax], encoding_plugin=plugin, generate_instance_uid=False)


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    from pydicom import Dataset

    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code
