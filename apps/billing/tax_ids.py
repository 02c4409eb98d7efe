"""Tax ids, checked by the rules of their country as far as its digits go: nobody is asked. Pure."""

import re

from stdnum import get_cc_module
from stdnum.exceptions import ValidationError as Invalid

EUROPEAN = frozenset(
    "AT|BE|BG|CY|CZ|DE|DK|EE|ES|FI|FR|GR|HR|HU|IE|IT|LT|LU|LV|MT|NL|PL|PT|RO|SE|SI|SK".split("|")  # noqa: SIM905
)
PREFIXES = {"GR": "EL"}  # Greece is EL in its tax ids
ANYTHING = re.compile(r"[0-9A-Za-z][0-9A-Za-z ./\-]{2,38}[0-9A-Za-z]")


class NotATaxId(ValueError):
    """No tax id of that country looks like this; `why` tells what is wrong with it."""


def checked_tax_id(tax_id: str, country: str) -> str:
    """As it is printed: in the EU with its country before it, elsewhere without what was put between digits.

    country: ISO 3166. Of one whose rules are not known, anything that could be an id is taken as it is.
    Raises NotATaxId.
    """
    tax_id = tax_id.strip()
    if not tax_id:
        return ""
    if country in EUROPEAN:
        return _european(tax_id, country)
    rules = get_cc_module(country.lower(), "vat") if country else None
    if rules is None:
        if not ANYTHING.fullmatch(tax_id):
            raise NotATaxId(f"That cannot be a tax id: {tax_id}")
        return tax_id
    letter = "T" if country == "JP" and tax_id[:1] in "Tt" else ""  # of a qualified invoice issuer
    try:
        return letter + str(rules.validate(tax_id[len(letter) :]))
    except Invalid as wrong:
        raise NotATaxId(f"Not a tax id of {country}: {wrong}") from wrong


def _european(tax_id: str, country: str) -> str:
    prefix = PREFIXES.get(country, country)
    plain = re.sub(r"[^0-9A-Za-z+*]", "", tax_id).upper().removeprefix(prefix)
    rules = get_cc_module(country.lower(), "vat")
    assert rules is not None  # the library has those of each
    try:
        return prefix + str(rules.validate(plain)).removeprefix(prefix)
    except Invalid as wrong:
        raise NotATaxId(f"Not a VAT id of {country}: {wrong}") from wrong
