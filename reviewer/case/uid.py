"""UIDs for what comes without one."""

from __future__ import annotations

import hashlib


def stand_in_uid(*parts: str) -> str:
    """A UID that is the same for the same parts: 2.25 and 128 bits of a hash (PS3.5 B.2)."""
    return f"2.25.{int.from_bytes(hashlib.sha256('/'.join(parts).encode()).digest()[:16], 'big')}"


def frame_of_volume(path: str) -> str:
    """The frame of reference of a volume whose file knows none."""
    return stand_in_uid("frame", path)
