"""Which compressed transfer syntaxes can be decoded by what is installed."""

from __future__ import annotations

from pydicom.pixels import get_decoder
from pydicom.uid import (
    JPEG2000,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

SYNTAXES = (
    RLELossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    JPEG2000Lossless,
    JPEG2000,
)
"""What hospital archives hold (PS3.5 annex A). High-throughput JPEG 2000, new in 2023, has no permissively licensed decoder here."""


def missing_decoders() -> list[str]:
    """Names of the usual transfer syntaxes whose pixels cannot be read here; empty in a complete installation."""
    return [syntax.name for syntax in SYNTAXES if not get_decoder(syntax).is_available]
