"""Writing a case as DICOM. Each writer takes one object of the case and the case that it refers to."""

from reviewer.dicom.write.case import write_case
from reviewer.dicom.write.dose import write_dose
from reviewer.dicom.write.image import write_cine, write_image
from reviewer.dicom.write.plan import write_plan
from reviewer.dicom.write.registration import write_registration
from reviewer.dicom.write.structures import write_structure_set

__all__ = [
    "write_case",
    "write_cine",
    "write_dose",
    "write_image",
    "write_plan",
    "write_registration",
    "write_structure_set",
]
