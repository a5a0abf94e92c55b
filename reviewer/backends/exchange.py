"""How jobs and results cross the border between two processes: one JSON document and .npy files in a folder.

Nothing is pickled: a file can hold numbers, never code. Needs numpy and the standard library only (see `contract`).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from reviewer.backends import contract

INLINE = 4096
"""Arrays of up to so many numbers stand in the JSON itself: an arc has hundreds of leaf positions, and each file costs."""

TYPES: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        contract.BackendInfo,
        contract.Setting,
        contract.Lattice,
        contract.Leaves,
        contract.Segment,
        contract.BeamInput,
        contract.PlannedDose,
        contract.DoseJob,
        contract.DoseResult,
        contract.GatingJob,
        contract.Tracked,
        contract.GatingResult,
    )
}


class ExchangeError(ValueError):
    """What was read is not what `write` writes."""


def write(folder: Path, name: str, value: object) -> None:
    """Write `value` (of the contract's types, arrays, plain values) as `name`.json and arrays beside it; the JSON appears last and whole."""
    arrays: list[np.ndarray[Any, Any]] = []
    document = json.dumps(_plain(value, name, arrays))
    for n, array in enumerate(arrays):
        np.save(folder / f"{name}-{n}.npy", array, allow_pickle=False)
    part = folder / f"{name}.part"
    part.write_text(document, encoding="utf-8")
    part.replace(folder / f"{name}.json")


def read(folder: Path, name: str, limit: int | None = None) -> Any:
    """What `write` wrote; large arrays as read-only maps of their files, sequences as tuples.

    limit: most bytes of the JSON that are read. Raises ExchangeError where the files are not there, not whole or not of this form.
    """
    path = folder / f"{name}.json"
    try:
        if limit is not None and path.stat().st_size > limit:
            raise ExchangeError(f"{path.name} has {path.stat().st_size} bytes")
        return _revived(json.loads(path.read_text(encoding="utf-8")), folder, name)
    except ExchangeError:
        raise
    except (
        OSError,
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        ArithmeticError,
        RecursionError,
        EOFError,
    ) as error:
        raise ExchangeError(f"{path.name}: {type(error).__name__}: {error}") from None


def digest(value: object) -> str:
    """SHA-256 of a value as it is handed over: every array with its type and shape, every field with its name."""
    hashed = hashlib.sha256()
    for piece in _pieces(value):
        hashed.update(piece)
    return hashed.hexdigest()


def size_bytes(value: object) -> int:
    """How much the arrays of a value take."""
    return sum(len(piece) for piece in _pieces(value) if isinstance(piece, memoryview))


def _plain(value: Any, name: str, arrays: list[np.ndarray[Any, Any]]) -> Any:
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in "biuf":
            raise ExchangeError(f"an array of {value.dtype} cannot be handed over")
        if value.size <= INLINE:
            return {"array": value.ravel().tolist(), "dtype": value.dtype.str, "shape": list(value.shape)}
        arrays.append(value)
        return {"file": f"{name}-{len(arrays) - 1}.npy"}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: _plain(getattr(value, f.name), name, arrays) for f in dataclasses.fields(value)}
        return {"is": type(value).__name__, "fields": fields}
    if isinstance(value, Mapping):
        return {"map": {str(k): _plain(v, name, arrays) for k, v in value.items()}}
    if isinstance(value, list | tuple):
        return [_plain(v, name, arrays) for v in value]
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise ExchangeError(f"a {type(value).__name__} cannot be handed over")


def _revived(node: Any, folder: Path, name: str) -> Any:
    if isinstance(node, list):
        return tuple(_revived(v, folder, name) for v in node)
    if not isinstance(node, dict):
        return node
    if "is" in node:
        return TYPES[node["is"]](**{k: _revived(v, folder, name) for k, v in node["fields"].items()})
    if "map" in node:
        return {k: _revived(v, folder, name) for k, v in node["map"].items()}
    if "file" in node:
        if not re.fullmatch(re.escape(name) + r"-\d+\.npy", node["file"]):
            raise ExchangeError(f"{node['file']!r} is no file of {name}")
        return np.load(folder / node["file"], mmap_mode="r", allow_pickle=False)
    dtype = np.dtype(node["dtype"])
    if dtype.kind not in "biuf":
        raise ExchangeError(f"an array of {dtype}")
    array = np.array(node["array"], dtype=dtype).reshape(node["shape"])
    array.flags.writeable = False
    return array


def _pieces(value: Any) -> Iterator[bytes | memoryview]:
    if isinstance(value, np.ndarray):
        yield f"{value.dtype.str}{value.shape}".encode()
        yield memoryview(np.ascontiguousarray(value).reshape(-1).view(np.uint8))  # type: ignore[arg-type]
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        yield f"<{type(value).__name__}".encode()
        for each in dataclasses.fields(value):
            yield f" {each.name}=".encode()
            yield from _pieces(getattr(value, each.name))
        yield b">"
    elif isinstance(value, Mapping):
        yield b"{"
        for key in sorted(value):
            yield f"{key!r}:".encode()
            yield from _pieces(value[key])
        yield b"}"
    elif isinstance(value, list | tuple):
        yield b"("
        for each in value:
            yield from _pieces(each)
            yield b","
        yield b")"
    else:
        yield repr(value.item() if isinstance(value, np.generic) else value).encode()
