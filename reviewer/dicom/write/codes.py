"""Codes of what a segment shows (PS3.16: CID 9580 RT segmentation property categories, CID 9534 RT targets; SNOMED CT for organs).

Only where name and concept are one; everything else is tissue in general, named by its label.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydicom.sr.codedict import codes

from reviewer.case import Structure
from reviewer.names import standard

ORGANS = {
    "Liver": "Liver",
    "Stomach": "Stomach",
    "Duodenum": "Duodenum",
    "Bowel_Small": "SmallIntestine",
    "Bowel_Large": "LargeIntestine",
    "Colon": "Colon",
    "Kidney": "Kidney",
    "SpinalCord": "SpinalCord",
    "Esophagus": "Esophagus",
    "Heart": "Heart",
    "Lung": "Lung",
    "Spleen": "Spleen",
    "Pancreas": "Pancreas",
    "Gallbladder": "Gallbladder",
    "A_Aorta": "Aorta",
    "V_Venacava_I": "InferiorVenaCava",
    "V_Portal": "PortalVein",
}
"""TG-263 name without side -> keyword in pydicom's dictionary of SNOMED codes."""

TARGETS = ("GTV", "CTV", "PTV")

SIDES = {"_L": "Left", "_R": "Right"}


@dataclass(frozen=True)
class Meaning:
    """Codes of a segment: property category, property type, and the side as modifier of the type or None."""

    category: Any
    type: Any
    side: Any = None


def meaning_of(structure: Structure) -> Meaning:
    """Targets by their RT ROI interpreted type, organs by what their name means in TG-263."""
    if structure.type in TARGETS:
        return Meaning(codes.cid9580.RTTarget, getattr(codes.cid9534, structure.type))
    known = standard(structure.name)
    name = known.name if known is not None else ""
    side = next((end for end in SIDES if name.endswith(end)), "")
    organ = ORGANS.get(name.removesuffix(side))
    if organ is None:
        return Meaning(codes.SCT.Tissue, codes.SCT.Tissue)
    return Meaning(
        codes.SCT.AnatomicalStructure,
        getattr(codes.SCT, organ),
        getattr(codes.SCT, SIDES[side]) if side else None,
    )
