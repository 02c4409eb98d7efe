"""The fonts of PDFs: none of the standard ones has more than Western European letters.

Looked for in this order, once a process:
1. files that the setting TOLLGATE_DOCUMENT_FONTS names: regular, bold, then any number for what those lack;
2. Noto Sans, where the package `pymupdf-fonts` is installed: Latin, Greek, Cyrillic;
3. DejaVu Sans, where the system has it;
4. Helvetica, which every viewer has: letters that it lacks lose their accents, or become a question mark.
"""

import atexit
import shutil
import tempfile
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from django.conf import settings
from fontTools.ttLib import TTFont  # type: ignore[import-untyped]

LACKING = "?"
OF_THE_SYSTEM = (  # where Debian, Fedora and Alpine put them
    ("/usr/share/fonts/truetype/dejavu", "DejaVuSans.ttf", "DejaVuSans-Bold.ttf"),
    ("/usr/share/fonts/dejavu-sans-fonts", "DejaVuSans.ttf", "DejaVuSans-Bold.ttf"),
    ("/usr/share/fonts/dejavu", "DejaVuSans.ttf", "DejaVuSans-Bold.ttf"),
)
CORE_ENCODING = "cp1252"  # of Helvetica, as PDFs have it
WITHOUT_ACCENTS = str.maketrans({"ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ı": "i", "ħ": "h", "Ħ": "H", "−": "-"})
NARROW = str.maketrans({"\u202f": "\u00a0", "\u2009": " ", "\u2011": "-"})  # spaces of figures, which few fonts have


@dataclass(frozen=True)
class Fonts:
    """Files of fonts: regular, bold, and others for what those lack. None: Helvetica."""

    regular: Path | None = None
    bold: Path | None = None
    others: tuple[Path, ...] = ()

    def shown(self, text: str) -> str:
        """The text as it can be printed: what no font has is replaced, and seen to be."""
        known = _known(tuple(path for path in (self.regular, *self.others) if path))
        return "".join(_replaced(char, known) for char in text.translate(NARROW))


@lru_cache(maxsize=1)
def fonts() -> Fonts:
    """The ones that there are here."""
    named = [Path(name) for name in settings.DOCUMENT_FONTS]
    if named:
        return Fonts(named[0], named[min(1, len(named) - 1)], tuple(named[2:]))
    return _of_package() or _of_system() or Fonts()


def _of_package() -> Fonts | None:
    """The package has them inside of modules; PDFs are made from files."""
    if find_spec("pymupdf_fonts") is None:
        return None
    from pymupdf_fonts import myfont

    folder = Path(tempfile.mkdtemp(prefix="fonts-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    paths = {}
    for code, name in (("notos", "NotoSans.ttf"), ("notosbo", "NotoSans-Bold.ttf")):
        paths[code] = folder / name
        paths[code].write_bytes(myfont(code))
    return Fonts(paths["notos"], paths["notosbo"])


def _of_system() -> Fonts | None:
    for folder, regular, bold in OF_THE_SYSTEM:
        found = Fonts(Path(folder, regular), Path(folder, bold))
        if all(path and path.is_file() for path in (found.regular, found.bold)):
            return found
    return None


@lru_cache(maxsize=8)
def _known(paths: tuple[Path, ...]) -> frozenset[int] | None:
    """The characters that the files have between them; None: those of Helvetica."""
    if not paths:
        return None
    known: set[int] = set()
    for path in paths:
        with TTFont(path, lazy=True, fontNumber=0) as font:
            known |= set(font.getBestCmap())
    return frozenset(known)


def _replaced(char: str, known: frozenset[int] | None) -> str:
    if char == "\n" or _has(char, known):
        return char
    plain = unicodedata.normalize("NFKD", char.translate(WITHOUT_ACCENTS))
    kept = [each for each in plain if not unicodedata.combining(each)]
    return _joined(kept, known) if kept else ""


def _joined(chars: Iterable[str], known: frozenset[int] | None) -> str:
    return "".join(char if _has(char, known) else LACKING for char in chars)


def _has(char: str, known: frozenset[int] | None) -> bool:
    if known is not None:
        return ord(char) in known
    try:
        char.encode(CORE_ENCODING)
    except UnicodeEncodeError:
        return False
    return True
