"""Countries by their codes, in the words of a language. Pure."""

from functools import lru_cache

from babel import Locale

NO_COUNTRIES = frozenset({"EU", "EZ", "QO", "UN", "XA", "XB", "ZZ"})  # of CLDR's territories with two letters


@lru_cache(maxsize=16)
def countries(language: str = "en") -> dict[str, str]:
    """The names of all countries by their codes (ISO 3166), in the order of their names."""
    names = Locale.parse(language).territories
    known = {code: name for code, name in names.items() if len(code) == 2 and code not in NO_COUNTRIES}
    return dict(sorted(known.items(), key=lambda each: each[1]))


def country_name(code: str, language: str = "en") -> str:
    """The country's name; a code that is none is given as it is."""
    return countries(language).get(code, code)
