"""The fonts of PDFs: none of the standard ones has more than Western European letters.

Looked for in this order, once a process:
1. files that the setting TOLLGATE_DOCUMENT_FONTS names: regular, bold, then any number for what those lack;
2. Noto Sans, where the package `pymupdf-fonts` is installed: Latin, Greek, Cyrillic;
3. DejaVu Sans, where the system has it;
4. Helvetica, which every viewer has: letters that it lacks lose their accents, or become a question mark.
With 2 and 3 goes Noto Sans CJK of the package `noto-cjk-sans-jp-regular`: Chinese, Japanese, Korean. Its file has 16 MB
and is opened only for documents with such letters.
"""

import atexit
import shutil
import tempfile
import unicodedata
from dataclasses import dataclass, replace
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
EAST_ASIA = "noto_cjk_sans_jp_regular"
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
        return "".join(self._replaced(char) for char in text.translate(NARROW))

    def lacking(self, text: str) -> str:
        """The letters of the text that are printed as a question mark, each once."""
        return "".join(char for char in dict.fromkeys(text) if char != LACKING and LACKING in self.shown(char))

    def others_for(self, text: str) -> tuple[Path, ...]:
        """Those of the others that the text needs: none is opened for nothing."""
        if self.regular is None:
            return ()
        missing = {ord(char) for char in text} - _letters(self.regular) - {ord("\n")}
        needed = []
        for path in self.others:
            if not missing:
                break
            if missing & _letters(path):
                needed.append(path)
                missing -= _letters(path)
        return tuple(needed)

    def _replaced(self, char: str) -> str:
        if char == "\n" or self._has(char):
            return char
        plain = unicodedata.normalize("NFKD", char.translate(WITHOUT_ACCENTS))
        kept = [each for each in plain if not unicodedata.combining(each)]
        return "".join(each if self._has(each) else LACKING for each in kept)

    def _has(self, char: str) -> bool:
        if self.regular is not None:
            return any(ord(char) in _letters(path) for path in (self.regular, *self.others))
        try:
            char.encode(CORE_ENCODING)
        except UnicodeEncodeError:
            return False
        return True


@lru_cache(maxsize=1)
def fonts() -> Fonts:
    """The ones that there are here."""
    named = [Path(name) for name in settings.DOCUMENT_FONTS]
    if named:
        return Fonts(named[0], named[min(1, len(named) - 1)], tuple(named[2:]))
    found = _of_package() or _of_system()
    return replace(found, others=_for_east_asia()) if found else Fonts()


def _for_east_asia() -> tuple[Path, ...]:
    found = find_spec(EAST_ASIA)
    folders = (found and found.submodule_search_locations) or ()
    return tuple(path for folder in folders for path in sorted(Path(folder).glob("*.otf")))


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
def _letters(path: Path) -> frozenset[int]:
    """The characters that a file has."""
    with TTFont(path, lazy=True, fontNumber=0) as font:
        return frozenset(font.getBestCmap())
