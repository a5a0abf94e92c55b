"""What a case is made of: frozen data, nothing that computes."""

from reviewer.case.case import Case, Problem, Severity
from reviewer.case.cine import Cine
from reviewer.case.dose import Dose, Part, Recipe
from reviewer.case.image import Image, Window
from reviewer.case.patient import AnonymousPatient, Patient
from reviewer.case.plan import Aperture, Beam, ControlPoint, Plan, Prescription
from reviewer.case.registration import Registration
from reviewer.case.structure import PALETTE, Colour, Structure, StructureSet

__all__ = [
    "PALETTE",
    "AnonymousPatient",
    "Aperture",
    "Beam",
    "Case",
    "Cine",
    "Colour",
    "ControlPoint",
    "Dose",
    "Image",
    "Part",
    "Patient",
    "Plan",
    "Prescription",
    "Problem",
    "Recipe",
    "Registration",
    "Severity",
    "Structure",
    "StructureSet",
    "Window",
]
