"""How a line of an invoice reads in the document's language: what it was built with is in English. Pure.

What people wrote (plans, charges, lines by hand) stays as they wrote it.
"""

from collections.abc import Mapping

from apps.billing.documents.figures import per_unit, unit_behind
from apps.billing.models import InvoiceLine

Kind = InvoiceLine.Kind
Words = Mapping[str, str]


def described(line: InvoiceLine, words: Words) -> str:
    """What it is of. Lines from before these details were kept read as they were built."""
    name = line.details.get("name", "")
    match line.kind:
        case Kind.USAGE if line.unit:
            return _joined(line.model or words["no_model"], words.get(f"of_{line.token_kind}"))
        case Kind.LATE_USAGE if "late_of" in line.details:
            return _joined(line.model or words["no_model"], words.get(f"of_{line.token_kind}"), _late(line, words))
        case Kind.CREDIT if "usd" in line.details:
            return _joined(words["from_credit"], _late(line, words))
        case Kind.FEE if name:
            return _joined(name, _some_days(line, words))
        case Kind.ALLOWANCE if name:
            return _joined(name, words["contained"])
        case Kind.MINIMUM | Kind.DISCOUNT if name:
            return _joined(name, words[f"of_{line.kind}"])
    return line.description


def unit_of(line: InvoiceLine, words: Words) -> str:
    """What stands behind its quantity."""
    unit = unit_behind(line.unit, line.quantity)
    return words.get(unit, unit)


def price_unit_of(line: InvoiceLine, words: Words) -> str:
    """What stands behind its unit price."""
    unit = per_unit(line.unit)
    return words.get(unit, unit)


def _late(line: InvoiceLine, words: Words) -> str:
    """That it is of an earlier invoice; "" for what is not."""
    number = line.details.get("late_of")
    if number is None:
        return ""
    return words["late_of"].format(number=number) if number else words["late"]


def _some_days(line: InvoiceLine, words: Words) -> str:
    days, of = line.details.get("days"), line.details.get("of")
    return "" if days == of else words["some_days"].format(days=days, of=of)


def _joined(*parts: str | None) -> str:
    return " · ".join(filter(None, parts))
