"""How far two contours of the same thing agree: the measures of the field, on contours and surfaces instead of voxel masks."""

from reviewer.comparison.change import Change, change
from reviewer.comparison.compare import PATH_TOLERANCE_MM, TOLERANCES_MM, Comparison, compare
from reviewer.comparison.matching import Unmatched, matched, same_name
from reviewer.comparison.slices import SliceComparison

__all__ = [
    "PATH_TOLERANCE_MM",
    "TOLERANCES_MM",
    "Change",
    "Comparison",
    "SliceComparison",
    "Unmatched",
    "change",
    "compare",
    "matched",
    "same_name",
]
