"""Tables in YAML whose mistakes are told with file and line."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from reviewer.errors import InputError

if TYPE_CHECKING:
    import yaml

T = TypeVar("T")

LARGEST_BYTES = 1_000_000
"""A table that people write is smaller; a file that was meant for something else may not fill the memory."""


class TableError(InputError):
    """A table that cannot be used as it is; `where` is its file and line."""


@dataclass(frozen=True)
class Row:
    """One mapping of a table and where it stands. `lines`: of each key, from 1."""

    file: str
    line: int
    values: Mapping[str, Any]
    lines: Mapping[str, int]

    def error(self, what: str, key: str = "", remedy: str = "") -> TableError:
        """What is wrong with the row, or with the value of one key."""
        return TableError(what, where=f"{self.file}, line {self.lines.get(key, self.line)}", remedy=remedy)

    def allow(self, *keys: str) -> None:
        """Raises TableError for a key that is none of these: most likely misspelt, and then not to be passed over."""
        for key in self.values:
            if key not in keys:
                raise self.error(f"unknown key {key!r}", key, f"the keys here are {', '.join(keys)}")

    def get(self, key: str, kind: type[T], default: T | None = None) -> T:
        """The value of a key. Raises TableError where it is of another kind, or missing without default."""
        if key not in self.values or (self.values[key] is None and default is not None):
            if default is None:
                raise self.error(f"{key} is missing")
            return default
        value = self.values[key]
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self.error(f"{key} is {_shown(value)}, not {_KINDS.get(kind, kind.__name__)}", key)
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of words, or a single one; empty where the key is missing."""
        value = self.values.get(key, [])
        value = [value] if isinstance(value, str) else value
        if not isinstance(value, list) or not all(isinstance(v, str) and v.strip() for v in value):
            raise self.error(f"{key} is {_shown(value)}, not a list of words", key)
        return tuple(value)

    def rows(self, key: str) -> tuple[Row, ...]:
        """A list of mappings."""
        value = self.get(key, list)
        if not value or not all(isinstance(v, Row) for v in value):
            raise self.error(f"{key} is not a list of entries with keys and values", key)
        return tuple(value)

    def one_of(self, key: str, choices: Collection[str], default: str | None = None) -> str:
        value = self.get(key, str, default)
        if value not in choices:
            raise self.error(f"{key} is {value!r}", key, f"choose one of {', '.join(choices)}")
        return value


_KINDS: dict[type, str] = {
    str: "text",
    float: "a number",
    int: "a whole number",
    list: "a list",
    Row: "keys and values",
}


def _shown(value: object) -> str:
    if isinstance(value, Row | list):
        return "a list" if isinstance(value, list) else "a group of keys"
    return repr(value)


def read_table(text: str | bytes, file: str) -> Row:
    """The mapping at the top of a YAML document. Raises TableError, with file and line, for what is no such document."""
    if len(text) > LARGEST_BYTES:
        raise TableError("this is too long for a table", where=file)
    import yaml  # noqa: PLC0415  (60 ms that the window does not wait for before a table is read)

    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is None:
            raise TableError("the file is empty", where=file)
        loader = yaml.SafeLoader("")
        table = _plain(node, loader, file, set())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        raise TableError(f"this is not YAML ({error.problem})", where=file + line) from error
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise TableError("this is not YAML", where=file) from error
    if not isinstance(table, Row):
        raise TableError("the file does not begin with keys and values", where=f"{file}, line 1")
    return table


def _plain(node: yaml.Node, loader: yaml.SafeLoader, file: str, seen: set[int]) -> Any:
    import yaml  # noqa: PLC0415  (see above)

    line = node.start_mark.line + 1
    if id(node) in seen:  # a few lines of them can stand for gigabytes
        raise TableError("anchors (&, *) are not read here", where=f"{file}, line {line}", remedy="write it out")
    seen.add(id(node))
    if not node.tag.startswith("tag:yaml.org,2002:") or "python" in node.tag:
        raise TableError(f"the tag {node.tag} is not read here", where=f"{file}, line {line}", remedy="take it out")
    if isinstance(node, yaml.MappingNode):
        values: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            key, at = key_node.value, key_node.start_mark.line + 1
            if not isinstance(key, str) or not key:
                raise TableError("a key is not a word", where=f"{file}, line {at}")
            if key in values:
                raise TableError(f"{key} is given twice", where=f"{file}, line {at}")
            values[key], lines[key] = _plain(value_node, loader, file, seen), at
        return Row(file, line, values, lines)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, loader, file, seen) for item in node.value]
    return loader.construct_object(node)
