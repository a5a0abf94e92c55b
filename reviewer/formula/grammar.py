"""The notation of derived structures: text -> tree, with the place of every mistake.

    PTVopt  = PTV - ((Stomach | Duodenum | Bowel_Small) + 5 mm)
    Overlap = isodose(first, 50 %) & isodose(second, 50 %) & Liver

`|` union, `&` intersection, `-` difference, `^` symmetric difference, `+ n mm` and `- n mm` margins, functions (FUNCTIONS).
A margin belongs to what stands directly before it. Where a reader could take a formula in two ways it is refused, and the error shows
both: an operator after another one of a different kind needs parentheses, and so does a margin behind the second operand.
Names with blanks or signs stand in quotes: "PTV 50", 'Liver-GTV'.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import Literal, NamedTuple

from reviewer.errors import InputError

Operator = Literal["|", "&", "-", "^"]
Direction = Literal["left", "right", "ant", "post", "sup", "inf"]
DIRECTIONS: tuple[Direction, ...] = ("left", "right", "ant", "post", "sup", "inf")


class Span(NamedTuple):
    """Characters start (inclusive) to end (exclusive) of the formula."""

    start: int
    end: int


class FormulaError(InputError):
    """A formula that cannot be read or evaluated; `span` is the place in the text."""

    def __init__(self, what: str, text: str, span: Span, *, remedy: str = "") -> None:
        super().__init__(f"{what} at character {span.start + 1} of “{text}”", remedy=remedy)
        self.span = span
        self.text = text


def _by_place(node: Node) -> int:
    """Nodes stand at different places of a formula; a hash of all that is below one would cost more than the plane that is looked up by it."""
    return hash(node.span)


@dataclass(frozen=True)
class Name:
    """A structure, by name."""

    name: str
    span: Span
    __hash__ = _by_place


@dataclass(frozen=True)
class Boolean:
    """Two solids combined."""

    operator: Operator
    left: Node
    right: Node
    span: Span
    __hash__ = _by_place


@dataclass(frozen=True)
class Margin:
    """A solid grown (positive) or shrunk (negative) by mm towards each side of the patient."""

    of: Node
    mm: tuple[tuple[Direction, float], ...]
    span: Span
    __hash__ = _by_place


@dataclass(frozen=True)
class Ring:
    """What lies within `outer_mm` around a solid, but not within `inner_mm` of it nor inside."""

    of: Node
    inner_mm: float
    outer_mm: float
    span: Span
    __hash__ = _by_place


@dataclass(frozen=True)
class IsodoseVolume:
    """Where a dose is at least `level`, in Gy or in % of the dose's prescription."""

    dose: str
    level: float
    unit: Literal["Gy", "%"]
    span: Span
    __hash__ = _by_place


@dataclass(frozen=True)
class Clean:
    """smooth (by mm), largest (part), fill (holes)."""

    kind: Literal["smooth", "largest", "fill"]
    of: Node
    mm: float
    span: Span
    __hash__ = _by_place


Node = Name | Boolean | Margin | Ring | IsodoseVolume | Clean

FUNCTIONS: dict[str, str] = {
    "expand": "expand(X, left=5 mm, right=5 mm, ant=5 mm, post=5 mm, sup=7 mm, inf=7 mm)",
    "ring": "ring(X, 10 mm) or ring(X, 5 mm, 20 mm)",
    "isodose": "isodose(dose, 25 Gy) or isodose(dose, 95 %)",
    "smooth": "smooth(X, 2 mm)",
    "largest": "largest(X)",
    "fill": "fill(X)",
}
"""Functions and how they are written."""

DEEPEST = 50
"""Parentheses and functions inside each other that a formula may have; no clinical formula comes near."""

MOST_WORDS = 400
"""Names, numbers and signs of a formula: what is far beyond a clinical one would go deeper than Python's stack."""

_PLAIN_NAME = r"[^\W\d]\w*(?:[.~]\w+)*"
_TOKEN = re.compile(
    rf"""(?P<blank>\s+)
      | (?P<quoted>"[^"]*"|'[^']*')
      | (?P<number>\d+(?:\.\d*)?|\.\d+)
      | (?P<name>{_PLAIN_NAME})
      | (?P<sign>[|&^+\-−(),=%])
    """,
    re.VERBOSE,
)


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    span: Span


@lru_cache(1000)
def parse(text: str) -> Node:
    """The tree of a formula. Raises FormulaError with the place and a remedy."""
    return _Parser(text).whole()


def split_assignment(text: str) -> tuple[str, str]:
    """ "PTV = GTV + 5 mm" -> ("PTV", "GTV + 5 mm"). Raises InputError where there is no name before the first `=`."""
    match = re.fullmatch(r"""\s*(?:"([^"]+)"|'([^']+)'|([^="']+?))\s*=\s*(.+)""", text, re.DOTALL)
    if match is None:
        raise InputError(f"“{text}” is not of the form NAME = FORMULA", remedy='write for example "PTV = GTV + 5 mm"')
    return next(g for g in match.groups()[:3] if g).strip(), match.group(4).strip()


def names_in(node: Node) -> tuple[str, ...]:
    """Structure names that a formula refers to, each once, in the order of the text."""
    return tuple(dict.fromkeys(mention.name for mention in mentions(node)))


def mentions(node: Node) -> Iterator[Name]:
    """Every place where a formula names a structure, in the order of the text."""
    if isinstance(node, Name):
        yield node
    for child in children(node):
        yield from mentions(child)


def needing(structures: Iterable[tuple[str, str]], name: str) -> tuple[str, ...]:
    """Names of those, among pairs of name and formula, whose formula mentions the structure `name`."""
    return tuple(one for one, text in structures if name in names_in(parse(text)))


def children(node: Node) -> tuple[Node, ...]:
    """The nodes that a node combines."""
    match node:
        case Boolean(_, left, right):
            return left, right
        case Margin(of) | Ring(of) | Clean(_, of):
            return (of,)
        case _:
            return ()


def renamed(text: str, old: str, new: str) -> str:
    """The formula with every mention of the structure `old` as `new`, quoted where it needs to be."""
    written = new if re.fullmatch(_PLAIN_NAME, new) else f'"{new}"'
    for node in sorted(mentions(parse(text)), key=lambda n: -n.span.start):
        if node.name == old:
            text = text[: node.span.start] + written + text[node.span.end :]
    return text


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = list(self._read())
        self.at = 0
        self.depth = 0

    def _read(self) -> Iterator[_Token]:
        position = 0
        while position < len(self.text):
            match = _TOKEN.match(self.text, position)
            if match is None:
                span = Span(position, position + 1)
                if self.text[position] in "\"'":
                    raise FormulaError("a quoted name that does not end", self.text, Span(position, len(self.text)))
                raise FormulaError(f"“{self.text[position]}” has no meaning", self.text, span)
            span = Span(*match.span())
            kind, found = str(match.lastgroup), match.group()
            if kind == "quoted":
                if not found[1:-1].strip():
                    raise FormulaError("an empty name", self.text, span)
                yield _Token("name", found[1:-1], span)
            elif kind != "blank":
                yield _Token(kind, found.replace("−", "-"), span)
            position = match.end()

    @property
    def next(self) -> _Token:
        if self.at < len(self.tokens):
            return self.tokens[self.at]
        return _Token("end", "", Span(len(self.text), len(self.text)))

    def error(self, what: str, span: Span | None = None, remedy: str = "") -> FormulaError:
        return FormulaError(what, self.text, span or self.next.span, remedy=remedy)

    def take(self, text: str) -> _Token:
        token = self.next
        if token.kind == "name" or token.text != text:
            raise self.error(f"“{text}” is expected" + (f", not “{token.text}”" if token.text else ""))
        self.at += 1
        return token

    def whole(self) -> Node:
        node = self.chain()
        if self.next.kind != "end":
            raise self.error(f"“{self.next.text}” is not expected")
        if len(self.tokens) > MOST_WORDS:
            raise self.error(f"more than {MOST_WORDS} names, numbers and signs", self.tokens[MOST_WORDS].span)
        return node

    def chain(self) -> Node:
        """Operands of one operator; a margin only behind a chain of one."""
        node = self.margins(self.operand())
        first: _Token | None = None
        while self.next.kind == "sign" and self.next.text in ("|", "&", "^", "-"):
            sign = self.next
            if first is not None and sign.text != first.text:
                raise self.error(
                    f"“{first.text}” and “{sign.text}” in one row can be read in two ways", sign.span, "add parentheses"
                )
            self.at += 1
            first = sign
            right = self.operand()
            if self._margin_follows():
                a, b = self._excerpt(node), self._excerpt(right)
                margin = self.text[self.next.span.start :].split("mm")[0].strip() + " mm"
                raise self.error(
                    "the margin can be read in two ways",
                    remedy=f"write {a} {sign.text} ({b} {margin}) or ({a} {sign.text} {b}) {margin}",
                )
            operator: Operator = {"|": "|", "&": "&", "^": "^", "-": "-"}[sign.text]  # type: ignore[assignment]
            node = Boolean(operator, node, right, Span(node.span.start, right.span.end))
        return node

    def _excerpt(self, node: Node) -> str:
        return self.text[node.span.start : node.span.end]

    def _margin_follows(self) -> bool:
        return (
            self.next.text in ("+", "-")
            and self.next.kind == "sign"
            and self.at + 1 < len(self.tokens)
            and self.tokens[self.at + 1].kind == "number"
        )

    def margins(self, node: Node) -> Node:
        while self._margin_follows():
            sign = self.next.text
            self.at += 1
            mm = self.quantity("mm")
            signed = mm if sign == "+" else -mm
            node = Margin(node, tuple((d, signed) for d in DIRECTIONS), Span(node.span.start, self._end()))
        if self.next.text == "+" and self.next.kind == "sign":
            raise self.error("“+” is followed by a margin in mm", remedy="for the union of two structures write “|”")
        return node

    def _end(self) -> int:
        return self.tokens[self.at - 1].span.end

    def quantity(self, unit: str) -> float:
        number = self.next
        if number.kind != "number":
            raise self.error(f"a number in {unit} is expected")
        self.at += 1
        found = self.next
        if found.text == "," and self._joined(3) and self.tokens[self.at + 1].kind == "number":
            whole = Span(number.span.start, self.tokens[self.at + 1].span.end)
            raise self.error(
                "the decimal sign is a point", whole, f"write {number.text}.{self.tokens[self.at + 1].text} {unit}"
            )
        if found.text != unit:
            at = Span(number.span.start, number.span.end)
            if found.kind == "name":
                raise self.error(f"“{found.text}” is not the unit {unit}", at, f"give it in {unit}")
            raise self.error("the unit is missing", at, f"write {number.text} {unit}")
        self.at += 1
        return float(number.text)

    def _joined(self, count: int) -> bool:
        """Whether the last token and those that follow, `count` in all, stand without a blank between them."""
        tokens = self.tokens[self.at - 1 : self.at - 1 + count]
        return len(tokens) == count and all(a.span.end == b.span.start for a, b in pairwise(tokens))

    def operand(self) -> Node:
        token = self.next
        if token.kind == "sign" and token.text == "(":
            self.at += 1
            self.depth += 1
            if self.depth > DEEPEST:
                raise self.error("too many parentheses inside each other", token.span)
            node = self.chain()
            self.take(")")
            self.depth -= 1
            return node if isinstance(node, Name) else replace(node, span=Span(token.span.start, self._end()))
        if token.kind != "name":
            raise self.error(
                "a structure, a function or “(” is expected" + (f", not “{token.text}”" if token.text else "")
            )
        self.at += 1
        quoted = self.text[token.span.start] in "\"'"
        if not quoted and self.next.text == "(" and self.next.kind == "sign":
            return self.function(token)
        return Name(token.text, token.span)

    def function(self, token: _Token) -> Node:
        if token.text not in FUNCTIONS:
            raise self.error(f"there is no function “{token.text}”", token.span, f"known are {', '.join(FUNCTIONS)}")
        self.take("(")
        self.depth += 1
        if self.depth > DEEPEST:
            raise self.error("too many functions inside each other", token.span)
        node: Node = getattr(self, f"_{token.text}")(token)
        if self.next.text != ")":
            raise self.error(f"{token.text} is written differently", remedy=FUNCTIONS[token.text])
        self.at += 1
        self.depth -= 1
        return node

    def _span(self, token: _Token) -> Span:
        return Span(token.span.start, self.next.span.end)

    def _expand(self, token: _Token) -> Margin:
        of = self.chain()
        wanted: dict[Direction, float] = {}
        while self.next.text == ",":
            self.at += 1
            side = self.next
            if side.text not in DIRECTIONS:
                raise self.error("a side of the patient is expected", remedy=f"one of {', '.join(DIRECTIONS)}")
            if side.text in wanted:
                raise self.error(f"“{side.text}” stands twice")
            self.at += 1
            self.take("=")
            negative = self.next.text == "-"
            self.at += negative
            mm = self.quantity("mm")
            wanted[side.text] = -mm if negative else mm
        if not wanted:
            raise self.error("expand needs at least one side", remedy=FUNCTIONS["expand"])
        return Margin(of, tuple((d, wanted.get(d, 0.0)) for d in DIRECTIONS), self._span(token))

    def _ring(self, token: _Token) -> Ring:
        of = self.chain()
        self.take(",")
        first = self.quantity("mm")
        if self.next.text != ",":
            return Ring(of, 0.0, first, self._span(token))
        self.at += 1
        second = self.quantity("mm")
        if second <= first:
            raise self.error("the ring's outer distance is not larger than its inner one", token.span)
        return Ring(of, first, second, self._span(token))

    def _isodose(self, token: _Token) -> IsodoseVolume:
        dose = self.next
        if dose.kind != "name":
            raise self.error("the name of a dose is expected", remedy=FUNCTIONS["isodose"])
        self.at += 1
        self.take(",")
        number = self.next
        after = self.tokens[self.at + 1] if self.at + 1 < len(self.tokens) else None
        unit: Literal["Gy", "%"] = "%" if after is not None and after.text == "%" else "Gy"
        level = self.quantity(unit)
        if level <= 0:
            raise self.error("an isodose level is larger than 0", number.span)
        return IsodoseVolume(dose.text, level, unit, self._span(token))

    def _smooth(self, token: _Token) -> Clean:
        of = self.chain()
        self.take(",")
        return Clean("smooth", of, self.quantity("mm"), self._span(token))

    def _largest(self, token: _Token) -> Clean:
        return Clean("largest", self.chain(), 0.0, self._span(token))

    def _fill(self, token: _Token) -> Clean:
        return Clean("fill", self.chain(), 0.0, self._span(token))
