"""Tax ids, as they are typed and as they are printed."""

import pytest

from apps.billing.tax_ids import NotATaxId, checked_tax_id

RIGHT = [
    ("DE", "DE 136 695 976", "DE136695976"),
    ("DE", "136695976", "DE136695976"),
    ("AT", "u13585627", "ATU13585627"),
    ("GR", "094259216", "EL094259216"),
    ("ES", "B58378431", "ESB58378431"),
    ("FR", "FR 40 303 265 045", "FR40303265045"),
    ("NL", "NL004495445B01", "NL004495445B01"),
    ("GB", "GB 980 7806 84", "980780684"),
    ("AU", "51 824 753 556", "51824753556"),
    ("JP", "T7000012050002", "T7000012050002"),
    ("US", "12-3456789", "12-3456789"),  # no rules are known: as it is
    ("", "12-3456789", "12-3456789"),
    ("DE", "  ", ""),
]
WRONG = [
    ("DE", "DE136695977", "checksum"),  # one digit off
    ("DE", "FR40303265045", "format"),  # another country's
    ("AU", "51 824 753 557", "checksum"),
    ("US", "x", "cannot be a tax id"),
    ("", "=1+1", "cannot be a tax id"),
]


@pytest.mark.parametrize(("country", "typed", "printed"), RIGHT)
def test_right_ones_are_printed_alike_however_they_were_typed(country: str, typed: str, printed: str):
    assert checked_tax_id(typed, country) == printed
    assert checked_tax_id(printed, country) == printed


@pytest.mark.parametrize(("country", "typed", "why"), WRONG)
def test_wrong_ones_are_refused_with_the_reason(country: str, typed: str, why: str):
    with pytest.raises(NotATaxId, match=why):
        checked_tax_id(typed, country)
