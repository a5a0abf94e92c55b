"""What crosses the border comes out as it went in, and nothing else comes in."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewer.backends import exchange
from reviewer.backends.conformance import breathing_job, water_job


def same(a: object, b: object) -> bool:
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and np.array_equal(a, b)
    if hasattr(a, "__dataclass_fields__"):
        return type(a) is type(b) and all(same(getattr(a, f), getattr(b, f)) for f in a.__dataclass_fields__)
    if isinstance(a, tuple):
        return isinstance(b, tuple) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    return type(a) is type(b) and a == b


@pytest.mark.parametrize("job", [water_job(("planned", "structures")), breathing_job()[0]], ids=["dose", "gating"])
def test_a_job_comes_out_as_it_went_in(job, tmp_path):
    exchange.write(tmp_path, "job", job)
    assert same(job, exchange.read(tmp_path, "job"))
    assert exchange.digest(job) == exchange.digest(exchange.read(tmp_path, "job"))
    assert not list(tmp_path.glob("*.part"))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4).map(tuple) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(value=VALUES)
def test_plain_values_come_out_as_they_went_in(value, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exchange")
    exchange.write(folder, "job", value)
    assert same(value, exchange.read(folder, "job"))


def test_infinite_sides_of_jaws_survive(tmp_path):
    exchange.write(tmp_path, "job", np.array([-np.inf, np.inf]))
    np.testing.assert_array_equal(exchange.read(tmp_path, "job"), [-np.inf, np.inf])


def test_large_arrays_are_maps_of_files_that_cannot_be_written(tmp_path):
    exchange.write(tmp_path, "job", {"a": np.zeros(exchange.INLINE + 1)})
    array = exchange.read(tmp_path, "job")["a"]
    assert isinstance(array, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 1


@pytest.mark.parametrize("value", [np.array([object()]), object(), np.array(["a"]), np.array([1j]), {1}, Path("a")])
def test_only_numbers_and_plain_values_cross(value, tmp_path):
    with pytest.raises(exchange.ExchangeError):
        exchange.write(tmp_path, "job", value)
    assert not (tmp_path / "job.json").exists()


@pytest.mark.parametrize(
    "node",
    [
        {"file": "/etc/passwd"},
        {"file": "../job-0.npy"},
        {"file": "job-0.npy\n"},
        {"file": "job-0.npy"},
        {"is": "Path", "fields": {}},
        {"is": "Lattice", "fields": {"shape": 1}},
        {"is": "Lattice"},
        {"array": [1], "dtype": "O", "shape": [1]},
        {"array": [1, 2], "dtype": "<f8", "shape": [3]},
        {"array": "x", "dtype": "<f8", "shape": [1]},
        {"neither": 1},
        {"map": [1]},
    ],
)
def test_what_the_program_did_not_write_is_refused(node, tmp_path):
    (tmp_path / "job.json").write_text(json.dumps({"map": {"a": node}}))
    with pytest.raises(exchange.ExchangeError):
        exchange.read(tmp_path, "job")


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "\x00", '{"map": {"a": NaN'])
def test_what_is_no_json_is_refused(text, tmp_path):
    (tmp_path / "job.json").write_text(text)
    with pytest.raises(exchange.ExchangeError):
        exchange.read(tmp_path, "job")


def test_a_pickle_is_never_opened(tmp_path):
    """A .npy file of Python objects runs code when it is read with pickle."""
    np.save(tmp_path / "job-0.npy", np.array([{}]), allow_pickle=True)
    (tmp_path / "job.json").write_text('{"file": "job-0.npy"}')
    with pytest.raises(exchange.ExchangeError):
        exchange.read(tmp_path, "job")


def test_a_document_too_large_is_not_read(tmp_path):
    exchange.write(tmp_path, "job", "x" * 100)
    with pytest.raises(exchange.ExchangeError, match="102 bytes"):
        exchange.read(tmp_path, "job", limit=101)
