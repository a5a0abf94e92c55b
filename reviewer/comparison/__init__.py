"""How far two contours of the same thing agree: the measures of the field, on contours and surfaces instead of voxel masks."""

from reviewer.comparison.compare import PATH_TOLERANCE_MM, TOLERANCES_MM, Comparison, compare
from reviewer.comparison.matching import Unmatched, matched, same_name
from reviewer.comparison.slices import SliceComparison

__all__ = [
    "PATH_TOLERANCE_MM",
    "TOLERANCES_MM",
    "Comparison",
    "SliceComparison",
    "Unmatched",
    "compare",
    "matched",
    "same_name",
]
