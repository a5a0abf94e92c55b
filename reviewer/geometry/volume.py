"""Volume of a structure."""

from __future__ import annotations

from reviewer.geometry.solid import solid
from reviewer.geometry.stack import Stack


def volume_cc(stack: Stack) -> float:
    """Volume of the stack's solid in cubic centimetres; 0 for an empty stack."""
    return solid(stack).volume_mm3 / 1000
