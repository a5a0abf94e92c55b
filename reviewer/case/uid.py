"""UIDs for what comes without one."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray


def stand_in_uid(*parts: str) -> str:
    """A UID that is the same for the same parts: 2.25 and 128 bits of a hash (PS3.5 B.2)."""
    return (
        f"2.25.{int.from_bytes(hashlib.sha256('/'.join(parts).encode(errors='surrogateescape')).digest()[:16], 'big')}"
    )


def name_of_volume(voxels: NDArray[np.generic], *lattice: float) -> str:
    """What a volume goes by whose file knows no UID: its content, so that it is the same wherever the file lies.

    voxels, lattice: all that the file says of values and places.
    """
    digest = hashlib.sha256(repr((voxels.dtype.str, voxels.shape, [float(n) for n in lattice])).encode())
    digest.update(np.ascontiguousarray(voxels).data)
    return f"sha256:{digest.hexdigest()}"


def frame_of_volume(name: str) -> str:
    """The frame of reference of a volume whose file knows none. name: as `name_of_volume`."""
    return stand_in_uid("frame", name)
