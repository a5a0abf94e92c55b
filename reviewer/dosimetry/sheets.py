"""Goal sheets: what a plan shall meet, as tables in YAML that are checked when they are read (docs/goals.md says how to write one)."""

from __future__ import annotations

import operator
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from platformdirs import user_config_dir

from reviewer.dosimetry.metrics import Metric, MetricError
from reviewer.errors import InputError, ReviewerError
from reviewer.tables import Row, read_table

_HOLDS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_LIMIT = re.compile(r"(?P<sign><=|>=|≤|≥|<|>)\s*(?P<value>\d+(?:\.\d+)?)\s*(?P<unit>\S*)")
_SIGNS = {"≤": "<=", "≥": ">="}
_UNITS = {"ml": "cc", "gy": "Gy", "cc": "cc", "%": "%", "": ""}

PLAN, SUM = "plan", "sum"
"""What dose a goal asks about: that of the plan, or the sum over all courses."""

PRIORITIES = (1, 2, 3, 4)


@dataclass(frozen=True)
class Limit:
    """A bound of a value, in the unit of the metric; `str` writes it as in a sheet."""

    sign: str
    value: float
    unit: str

    @property
    def at_least(self) -> bool:
        """Whether more is better."""
        return self.sign in (">", ">=")

    def holds(self, value: float) -> bool:
        return bool(_HOLDS[self.sign](value, self.value))

    def __str__(self) -> str:
        shown = {"<=": "≤", ">=": "≥"}.get(self.sign, self.sign)
        return f"{shown} {self.value:g} {self.unit}".strip()


@dataclass(frozen=True)
class Goal:
    """One line of a sheet.

    structures: for each wanted structure the names that will do; a name such as PTV stands for PTV1, PTV_2 … too.
    acceptable: laxer bound of an acceptable variation. priority: 1 matters most.
    dose:       PLAN or SUM. fractions: for how many the limit is meant; None for any.
    unverified: what nobody has checked in the source; empty where it was.
    """

    structures: tuple[tuple[str, ...], ...]
    metric: Metric
    limit: Limit
    acceptable: Limit | None = None
    priority: int = 1
    dose: str = PLAN
    fractions: int | None = None
    source: str = ""
    unverified: str = ""
    line: int = 0


@dataclass(frozen=True)
class Sheet:
    """A list of goals. id: file name without ending; file: where it was read; own: from the user's folder."""

    id: str
    name: str
    source: str
    goals: tuple[Goal, ...]
    fractions: int | None = None
    file: str = ""
    own: bool = False


@dataclass(frozen=True)
class Sheets:
    """All sheets that could be read, and what is wrong with the others."""

    sheets: tuple[Sheet, ...]
    errors: tuple[ReviewerError, ...]

    def get(self, name: str) -> Sheet:
        """The sheet of this id or name, upper or lower case. Raises InputError where there is none."""
        wanted = name.strip().casefold()
        for sheet in self.sheets:
            if wanted in (sheet.id.casefold(), sheet.name.casefold()):
                return sheet
        for error in self.errors:
            if f"{wanted}.yaml" in error.where.casefold():
                raise error
        raise InputError(
            f"there is no goal sheet {name!r}", remedy=f"there are: {', '.join(s.id for s in self.sheets)}"
        )


def user_folder() -> Path:
    """Where the user's own sheets are kept; it need not exist."""
    return Path(user_config_dir("reviewer")) / "goals"


def all_sheets(folder: Path | None = None) -> Sheets:
    """The program's sheets and those of the user's folder; a file there that cannot be used is told, not passed over."""
    folder = folder or user_folder()
    sheets, errors = list(_own_sheets()), []
    for path in sorted(folder.glob("*.y*ml")) if folder.is_dir() else []:
        try:
            sheet = load_sheet(path)
            if any(sheet.id == other.id for other in sheets):
                raise InputError(
                    f"there is another sheet called {sheet.id}", where=str(path), remedy="rename this file"
                )
            sheets.append(sheet)
        except ReviewerError as error:
            errors.append(error)
    return Sheets(tuple(sheets), tuple(errors))


def load_sheet(path: Path) -> Sheet:
    """The sheet of a file. Raises TableError with file and line, or InputError where the file can't be read."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(error.strerror or "cannot be read", where=str(path)) from error
    return read_sheet(data, str(path), path.stem, own=True)


def save_sheet(text: str, name: str, folder: Path | None = None) -> Path:
    """Keep a sheet in the user's folder, as `name`.yaml. Raises TableError, and writes nothing, where it is no good sheet."""
    folder = folder or user_folder()
    if not re.fullmatch(r"[\w-]+( [\w-]+)*", name):
        raise InputError(f"{name!r} is no file name", remedy="take letters, digits, - and _")
    if any(name == sheet.id for sheet in _own_sheets()):
        raise InputError(f"{name} is a sheet of the program", remedy="choose another name")
    path = folder / f"{name}.yaml"
    read_sheet(text, str(path), name, own=True)
    folder.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".part")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
    return path


def read_sheet(text: str | bytes, file: str, sheet_id: str = "", *, own: bool = False) -> Sheet:
    """The sheet that a text describes. Raises TableError with file and line for the first thing that is wrong."""
    table = read_table(text, file)
    table.allow("name", "source", "fractions", "goals")
    fractions = _fractions(table)
    goals = tuple(_goal(row, fractions) for row in table.rows("goals"))
    return Sheet(sheet_id, table.get("name", str), table.get("source", str), goals, fractions, file, own)


@cache
def _own_sheets() -> tuple[Sheet, ...]:
    return tuple(
        read_sheet(text, f"resources/goals/{name}", name.removesuffix(".yaml"))
        for name, text in resource_tables("goals")
    )


def resource_tables(folder: str) -> Iterator[tuple[str, str]]:
    """Name and text of each table in a folder of the program's resources, in the order of the names."""
    for entry in sorted(files("reviewer_resources").joinpath(folder).iterdir(), key=lambda e: e.name):
        if entry.name.endswith(".yaml"):
            yield entry.name, entry.read_text(encoding="utf-8")


def metric_of(row: Row) -> Metric:
    """The metric of a row. Raises TableError where it is none."""
    try:
        return Metric.parse(row.get("metric", str))
    except MetricError as error:
        raise row.error(f"{error.where}: {error.what}", "metric", error.remedy) from error


def wanted_of(row: Row) -> tuple[tuple[str, ...], ...]:
    """The structures of a row, each with its alternatives: "Bowel_Large or Colon"."""
    wanted = tuple(tuple(name.strip() for name in re.split(r"\s+or\s+", text)) for text in row.texts("structures"))
    if not wanted or not all(name for names in wanted for name in names):
        raise row.error("structures is missing", "structures")
    return wanted


def _goal(row: Row, fractions: int | None) -> Goal:
    row.allow(
        "structures", "metric", "limit", "acceptable", "priority", "dose", "fractions", "source", "unverified"
    )  # fmt: skip
    metric = metric_of(row)
    limit = _limit(row, "limit", metric)
    acceptable = _limit(row, "acceptable", metric) if "acceptable" in row.values else None
    if acceptable is not None:
        if acceptable.at_least != limit.at_least:
            raise row.error("acceptable points the other way than limit", "acceptable")
        if (acceptable.value < limit.value) != limit.at_least or acceptable.value == limit.value:
            raise row.error(f"acceptable ({acceptable}) is not laxer than limit ({limit})", "acceptable")
    priority = row.get("priority", int, 1)
    if priority not in PRIORITIES:
        raise row.error(f"priority is {priority}", "priority", "choose 1 (matters most) to 4")
    return Goal(
        wanted_of(row),
        metric,
        limit,
        acceptable,
        priority,
        row.one_of("dose", (PLAN, SUM), PLAN),
        _fractions(row) or fractions,
        row.get("source", str, ""),
        row.get("unverified", str, ""),
        row.line,
    )


def _fractions(row: Row) -> int | None:
    if "fractions" not in row.values:
        return None
    fractions = row.get("fractions", int)
    if not 1 <= fractions <= 100:
        raise row.error(f"fractions is {fractions}", "fractions", "give 1 to 100")
    return fractions


def _limit(row: Row, key: str, metric: Metric) -> Limit:
    text = row.get(key, str)
    match = _LIMIT.fullmatch(text.strip())
    if match is None:
        raise row.error(f"{key} is {text!r}", key, f'write it as in "{f"< 36 {metric.unit}".strip()}"')
    unit = _UNITS.get(match["unit"].casefold(), match["unit"])
    expected = "Gy" if metric.effect is not None and metric.kind not in ("V", "CV") else metric.unit
    if unit not in (expected, metric.unit):
        raise row.error(f"{key} is in {unit or 'no unit'}, {metric} in {expected or 'no unit'}", key)
    return Limit(_SIGNS.get(match["sign"], match["sign"]), float(match["value"]), metric.unit)
