"""Standard names of structures (AAPM TG-263: Mayo et al., Int J Radiat Oncol Biol Phys 2018;100:1057-1066), and who else goes by them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from functools import cache, lru_cache
from importlib.resources import files

from reviewer.case import Colour
from reviewer.tables import Row, read_table

TYPES = (
    "EXTERNAL", "PTV", "CTV", "GTV", "ORGAN", "AVOIDANCE", "CONTROL", "MARKER", "DOSE_REGION", "BOLUS", "SUPPORT", "CAVITY",
)  # fmt: skip
"""RT ROI Interpreted Types (PS3.3 C.8.8.8.1) that a name may carry; DICOM has none for an ITV, which is written as CTV."""

LANGUAGES = ("en", "de", "fr", "it")
LONGEST = 16
"""Characters in a name at most (TG-263)."""


@dataclass(frozen=True)
class Standard:
    """A standard name.

    type:     RT ROI Interpreted Type; colour: red, green, blue, 0 to 255.
    meaning:  in words. synonyms: other spellings as they are listed.
    root:     name of the kind: PTV for PTV1, GTV for GTVp2; of all else its own name.
    tg263:    whether the report lists it or has a rule for it; false for names that are only usual.
    """

    name: str
    type: str
    colour: Colour
    meaning: str
    synonyms: tuple[str, ...] = ()
    root: str = ""
    tg263: bool = True


@dataclass(frozen=True)
class Template:
    """Names for a new structure set."""

    name: str
    meaning: str
    structures: tuple[Standard, ...]


@lru_cache(maxsize=4096)
def standard(name: str) -> Standard | None:
    """The standard name that is meant: exactly, in another spelling or language, or by a rule of TG-263; None for others.

    By rule: targets with a class, number, dose, image or level (GTVp1, PTV_2, CTV_5000, GTV_MR, PTV_High), planning risk volumes with
    their margin in mm (SpinalCord_PRV05), what is left of one structure without another (Liver-PTV), rings (Ring_10mm).
    Names that begin with _ are helpers of a planner (TG-263) and stand for nothing.
    """
    if name.startswith("_"):
        return None
    _, by_key = _names()
    return by_key.get(_key(name)) or _target(name) or _risk_volume(name) or _difference(name) or _ring(name)


def suggestions(name: str, count: int = 8) -> list[Standard]:
    """Standard names that may be meant, the likeliest first; the first of all for an empty name.

    Those that the beginnings of a spelling's words fit, then those that contain it, then those that look alike.
    """
    listed, _ = _names()
    meant = standard(name)
    wanted = _key(name)
    if not wanted:
        return list(listed)[:count]
    scored: list[tuple[float, int, Standard]] = []
    for place, each in enumerate(listed):
        score = max(_likeness(wanted, spelling) for spelling in (each.name, each.meaning, *each.synonyms))
        if score > 0 and (meant is None or each.name != meant.name):
            scored.append((-score, place, each))
    scored.sort(key=lambda row: row[:2])
    return ([meant] if meant else []) + [each for _, _, each in scored][: count - bool(meant)]


@cache
def standards() -> tuple[Standard, ...]:
    """All names that are listed, in the order of the list."""
    return _names()[0]


@cache
def templates() -> tuple[Template, ...]:
    """Sets of names to begin with."""
    file, text = _resource("templates.yaml")
    return tuple(_template(row) for row in read_table(text, file).rows("templates"))


def read_names(text: str, file: str) -> tuple[tuple[Standard, ...], Mapping[str, Standard]]:
    """The names of a table, and each by the keys of its spellings. Raises TableError with file and line."""
    table = read_table(text, file)
    table.allow("sides", "structures")
    sides = table.get("sides", Row)
    listed: list[Standard] = []
    by_key: dict[str, Standard] = {}
    for row in table.rows("structures"):
        for each, spellings in _entries(row, sides):
            if any(each.name == other.name for other in listed):
                raise row.error(f"{each.name} is listed twice", "name")
            listed.append(each)
            for spelling in dict.fromkeys((each.name, *spellings)):
                key = _key(spelling)
                if by_key.setdefault(key, each).name != each.name:
                    raise row.error(f"{spelling!r} is both {each.name} and {by_key[key].name}")
    return tuple(listed), by_key


@cache
def _names() -> tuple[tuple[Standard, ...], Mapping[str, Standard]]:
    file, text = _resource("names.yaml")
    return read_names(text, file)


def _resource(name: str) -> tuple[str, str]:
    return f"resources/names/{name}", files("reviewer_resources").joinpath("names", name).read_text(encoding="utf-8")


def _entries(row: Row, sides: Row) -> Iterator[tuple[Standard, list[str]]]:
    row.allow("name", "type", "colour", "sides", "meaning", "tg263", *LANGUAGES)
    name, kind = row.get("name", str), row.one_of("type", TYPES)
    synonyms = {language: row.texts(language) for language in LANGUAGES}
    base = Standard(
        name,
        kind,
        (0, 0, 0),
        row.get("meaning", str),
        tuple(s for language in LANGUAGES for s in synonyms[language]),
        name,
        row.get("tg263", bool, True),
    )
    if "sides" not in row.values:
        yield _checked(replace(base, colour=_colour(row, "colour")), row), list(base.synonyms)
        return
    pair = row.get("sides", Row)
    pair.allow("L", "R")
    for side, word in (("L", "left"), ("R", "right")):
        spellings = [
            pattern.format(each, way)
            for language in LANGUAGES
            for each in (name, *synonyms["en"], *synonyms[language])
            for way in sides.get(language, Row).texts(side)
            for pattern in ("{0} {1}", "{1} {0}")
            if each in synonyms[language] or language == "en"
        ]
        one = f"{name}_{side}"
        yield (
            _checked(
                replace(base, name=one, root=one, colour=_colour(pair, side), meaning=f"{base.meaning}, {word}"), row
            ),
            spellings,
        )


def _checked(each: Standard, row: Row) -> Standard:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_\-!~]*", each.name) or len(each.name) > LONGEST:
        raise row.error(
            f"{each.name!r} is no name", "name", f"take at most {LONGEST} letters, digits, _ and -, and no blanks"
        )
    return each


def _colour(row: Row, key: str) -> Colour:
    value = row.get(key, list)
    if len(value) != 3 or not all(isinstance(v, int) and 0 <= v <= 255 for v in value):
        raise row.error(f"{key} is no colour", key, "give red, green and blue from 0 to 255")
    return value[0], value[1], value[2]


def _template(row: Row) -> Template:
    row.allow("name", "meaning", "structures")
    found = []
    for name in row.texts("structures"):
        each = standard(name)
        if each is None or each.name != name:
            raise row.error(f"{name} is no standard name", "structures")
        found.append(each)
    return Template(row.get("name", str), row.get("meaning", str), tuple(found))


_LETTERS = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "œ": "oe", "æ": "ae", "ß": "ss", "–": "-", "−": "-", "’": "'", "ø": "oe"}
)


@lru_cache(maxsize=4096)
def _key(name: str) -> str:
    """What spellings of the same name have in common.

    A hyphen stays where it may mean "without": before a target.
    """
    plain = unicodedata.normalize("NFC", name).lower().translate(_LETTERS)
    plain = "".join(c for c in unicodedata.normalize("NFKD", plain) if not unicodedata.combining(c))
    plain = re.sub(r"[\s_.]+", "", plain)
    return re.sub(r"-(?!i?gtv|i?ctv|itv|ptv)", "", plain)


_TARGET = re.compile(
    r"(?P<root>IGTV|GTV|CTV|ITV|PTV)(?P<class>[pn](?=\d|[\s_-]|$))?"
    r"(?P<number>[\s_-]?\d{1,2}(?!\d|\s*c?Gy))?"
    r"(?P<image>[\s_-](?:CT|MR|PT)\d?)?"
    r"(?P<level>[\s_-](?:High|Mid|Low))?"
    r"(?P<dose>[\s_-]?(?:\d{3,5}(?:\s*cGy)?|\d{1,3}(?:[.p]\d+)?\s*Gy))?",
    re.IGNORECASE,
)


def _target(name: str) -> Standard | None:
    match = _TARGET.fullmatch(name.strip())
    if match is None:
        return None
    base = _names()[1][match["root"].lower()]
    number = re.sub(r"\D", "", match["number"] or "")
    parts = [base.name, (match["class"] or "").lower(), str(int(number)) if number else ""]
    parts += ["_" + re.sub(r"[\s_-]", "", match["image"]).upper()] if match["image"] else []
    parts += ["_" + re.sub(r"[\s_-]", "", match["level"]).capitalize()] if match["level"] else []
    if match["dose"]:
        dose = re.sub(r"[\s_-]", "", match["dose"])
        parts.append(
            "_" + re.sub("cgy$", "", re.sub("(?<!c)gy$", "Gy", dose, flags=re.I), flags=re.I).replace(".", "p")
        )
    return replace(base, name="".join(parts), synonyms=())


_RISK_VOLUME = re.compile(r"(?P<organ>.+?)[\s_-]?PRV[\s_-]?(?P<mm>\d{1,2})?(?:\s?mm)?", re.IGNORECASE)
_RISK_VOLUME_FIRST = re.compile(r"PRV[\s_-](?P<organ>.+?)(?:[\s_-](?P<mm>\d{1,2})(?:\s?mm)?)?", re.IGNORECASE)


def _risk_volume(name: str) -> Standard | None:
    match = _RISK_VOLUME.fullmatch(name.strip()) or _RISK_VOLUME_FIRST.fullmatch(name.strip())
    organ = standard(match["organ"]) if match else None
    if match is None or organ is None or organ.type != "ORGAN":
        return None
    full = f"{organ.name}_PRV" + (f"{int(match['mm']):02d}" if match["mm"] else "")
    meaning = f"{organ.meaning} with a margin" + (f" of {int(match['mm'])} mm" if match["mm"] else "")
    red, green, blue = ((c + 255) // 2 for c in organ.colour)
    return Standard(full, "AVOIDANCE", (red, green, blue), meaning, root=full)


def _difference(name: str) -> Standard | None:
    whole, minus, less = re.sub("[–−]", "-", name).rpartition("-")
    if not minus or not whole or not less:
        return None
    a, b = standard(whole), standard(less)
    if a is None or b is None or a.name == b.name or b.type == "EXTERNAL":
        return None
    full = f"{a.name}-{b.name}"
    red, green, blue = (c * 3 // 4 for c in a.colour)
    return Standard(
        full, a.type, (red, green, blue), f"{a.meaning} without {b.name}", root=full, tg263=a.tg263 and b.tg263
    )


def _ring(name: str) -> Standard | None:
    match = re.fullmatch(r"z?_?Ring[\s_]?(\d{1,3})?\s?(?:mm)?", name.strip(), re.IGNORECASE)
    if match is None:
        return None
    full = f"Ring_{int(match[1])}mm" if match[1] else "Ring"
    return Standard(full, "CONTROL", (160, 160, 160), "Shell around a target", root=full, tg263=False)


def _likeness(wanted: str, spelling: str) -> float:
    key = _key(spelling)
    if key.startswith(wanted):
        return 3 + len(wanted) / len(key)
    if any(_key(word).startswith(wanted) for word in re.split(r"[\s_\-]+", spelling)):
        return 2 + len(wanted) / len(key)
    if len(wanted) > 2 and wanted in key:
        return 1 + len(wanted) / len(key)
    ratio = SequenceMatcher(None, wanted, key).ratio() if len(wanted) > 3 else 0.0
    return ratio if ratio >= 0.7 else 0.0
