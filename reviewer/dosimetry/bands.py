"""Published values of treated patients, to set a plan against: no limits, only what others had."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from reviewer.dosimetry.metrics import Metric
from reviewer.dosimetry.sheets import metric_of, resource_tables, wanted_of
from reviewer.names import standard
from reviewer.tables import Row, read_table

VOLUME = "Volume"


@dataclass(frozen=True)
class Band:
    """Median, lowest and highest published value. metric: None for the volume of the structure, in cc."""

    structures: tuple[tuple[str, ...], ...]
    metric: Metric | None
    unit: str
    median: float
    low: float
    high: float

    def about(self, name: str) -> bool:
        """Whether the band is about a structure of this name."""
        found = standard(name)
        return found is not None and any(
            wanted in (found.name, found.root) for names in self.structures for wanted in names
        )


@dataclass(frozen=True)
class Bands:
    """The bands of one paper."""

    id: str
    name: str
    source: str
    bands: tuple[Band, ...]

    def get(self, name: str, metric: Metric | None) -> Band | None:
        """The band for a structure and a metric (None: its volume), if there is one."""
        return next((b for b in self.bands if b.metric == metric and b.about(name)), None)


@cache
def all_bands() -> tuple[Bands, ...]:
    """Those that come with the program."""
    return tuple(
        read_bands(text, f"resources/bands/{name}", name.removesuffix(".yaml"))
        for name, text in resource_tables("bands")
    )


def read_bands(text: str | bytes, file: str, bands_id: str) -> Bands:
    """The bands that a table lists. Raises TableError with file and line."""
    table = read_table(text, file)
    table.allow("name", "source", "bands")
    return Bands(
        bands_id, table.get("name", str), table.get("source", str), tuple(_band(row) for row in table.rows("bands"))
    )


def _band(row: Row) -> Band:
    row.allow("structures", "metric", "unit", "median", "low", "high")
    metric = None if row.get("metric", str) == VOLUME else metric_of(row)
    low, median, high = (row.get(key, float) for key in ("low", "median", "high"))
    if not low <= median <= high:
        raise row.error(f"the median {median:g} does not lie between {low:g} and {high:g}", "median")
    return Band(wanted_of(row), metric, metric.unit if metric else row.one_of("unit", ("cc",), "cc"), median, low, high)
