"""Letters for all names: DejaVu Sans for most alphabets and symbols, and the fonts for Chinese, Japanese and Korean that readers of PDF bring.

DejaVu comes with matplotlib, which PyVista needs; where it is not there, reportlab's own Vera has the letters of western Europe.
"""

from __future__ import annotations

from functools import cache
from html import escape
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFont

REGULAR, BOLD = "Report", "Report-Bold"

_EAST_ASIAN = {"kana": "HeiseiKakuGo-W5", "hangul": "HYGothic-Medium", "han": "STSong-Light"}


@cache
def register() -> None:
    """Make the fonts known to reportlab."""
    spec = find_spec("matplotlib")
    folder = Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf" if spec and spec.origin else Path()
    names = ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf")
    if not all((folder / name).is_file() for name in names):
        folder, names = Path(pdfmetrics.__file__).parents[1] / "fonts", ("Vera.ttf", "VeraBd.ttf")
    for font, name in zip((REGULAR, BOLD), names, strict=True):
        pdfmetrics.registerFont(TTFont(font, str(folder / name)))
    pdfmetrics.registerFontFamily(REGULAR, REGULAR, BOLD, REGULAR, BOLD)
    for font in _EAST_ASIAN.values():
        pdfmetrics.registerFont(UnicodeCIDFont(font))


def marked_up(text: str) -> str:
    """The text for a Paragraph: nothing in it is markup, and every letter has a font that knows it."""
    japanese = any(_kind(c) == "kana" for c in text)
    parts = []
    for kind, letters in groupby(text, _kind):
        words = escape("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in letters), quote=False)
        font = _EAST_ASIAN.get("kana" if japanese and kind == "han" else kind)
        parts.append(f'<font name="{font}">{words}</font>' if font else words)
    return "".join(parts)


def _kind(letter: str) -> str:
    code = ord(letter)
    if 0x3040 <= code <= 0x30FF:
        return "kana"
    if 0xAC00 <= code <= 0xD7AF or 0x1100 <= code <= 0x11FF:
        return "hangul"
    if 0x2E80 <= code <= 0x9FFF or 0xF900 <= code <= 0xFAFF or 0xFF00 <= code <= 0xFFEF or 0x20000 <= code <= 0x3FFFF:
        return "han"
    return ""
