"""Writing a case as DICOM. Each writer takes one object of the case and the case that it refers to.

`segmentation` is not among them: it brings highdicom, which is slow to load, and is imported where a SEG is asked for.
"""

from reviewer.dicom.write.case import write_case
from reviewer.dicom.write.dose import write_dose
from reviewer.dicom.write.header import fresh_uid
from reviewer.dicom.write.image import refusal_of_image, write_cine, write_image
from reviewer.dicom.write.plan import write_plan
from reviewer.dicom.write.registration import write_registration
from reviewer.dicom.write.structures import image_of, write_structure_set

__all__ = [
    "fresh_uid",
    "image_of",
    "refusal_of_image",
    "write_case",
    "write_cine",
    "write_dose",
    "write_image",
    "write_plan",
    "write_registration",
    "write_structure_set",
]
