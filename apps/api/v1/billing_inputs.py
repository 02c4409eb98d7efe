"""What is sent to billing: amounts, days, codes and names as they may be; and what a body names, found."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.api.v1.fields import EARLIEST, LATEST, Amount, Asked, Flag, Id, Instant, Text, Whole
from apps.billing.burn import USUAL_PRIORITY
from apps.billing.models import CreditNote, Wallet
from apps.billing.money import currencies
from apps.billing.services.lots import MOST

M = TypeVar("M", bound=Model)
WRITES = (404, 409, 415)  # what those that change something may answer, besides the usual
MOST_LINES = 100
MOST_MONEY = Decimal(10) ** 11  # of any currency; MOST is of dollars


def money(**options: Any) -> Amount:
    """An amount that nobody would take for a mistake in writing."""
    return Amount(**{"min_value": 0, "max_value": MOST} | options)


class Above(Amount):
    """Money, more than none."""

    default_error_messages = {"nothing": "An amount above zero."}  # noqa: RUF012  as the others

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"min_value": 0, "max_value": MOST} | options)

    def to_internal_value(self, data: Any) -> Decimal:
        amount = super().to_internal_value(data)
        if not amount:
            self.fail("nothing")
        return amount


class Day(serializers.DateField):
    """A day, such as 2026-03-01."""

    default_error_messages = {"range": "Days are from the year 2000 up to 2199."}  # noqa: RUF012  as the others

    def to_internal_value(self, value: Any) -> date:
        if isinstance(value, datetime | date) or not isinstance(value, str):
            self.fail("invalid", format="YYYY-MM-DD")
        day: date = super().to_internal_value(value)
        if not EARLIEST.date() <= day < LATEST.date():
            self.fail("range")
        return day


@extend_schema_field({"type": "string", "pattern": "^[A-Z]{3}$", "examples": ["EUR"]})
class Currency(Text):
    """A currency that is in use somewhere, by its code."""

    default_error_messages = {"currency": "There is no such currency in use."}  # noqa: RUF012  as the others

    def to_internal_value(self, data: Any) -> str:
        code = super().to_internal_value(data)
        if code not in currencies():
            self.fail("currency")
        return code


class OpenWalletSerializer(Asked):
    """How a customer's usage is paid from credit."""

    settlement = serializers.ChoiceField(choices=Wallet.Settlement.values, default=Wallet.Settlement.PREPAID)
    low_balance = money(required=False, allow_null=True, help_text="USD. Below it, there is a warning; null: never.")
    credit_line = money(required=False, help_text="USD. Prepaid calls go through until so far below zero.")


class WalletChangesSerializer(Asked):
    """What to change of a wallet. Members that are left out stay as they are."""

    settlement = serializers.ChoiceField(choices=Wallet.Settlement.values, required=False, help_text="Operators.")
    low_balance = money(required=False, allow_null=True, help_text="USD. Below it, there is a warning; null: never.")
    credit_line = money(required=False, help_text="Operators. USD: prepaid calls go through until so far below zero.")


class GrantSerializer(Asked):
    """Credit that is given away."""

    amount = Above(help_text="USD.")
    note = Text(max_length=200, trim_whitespace=True, help_text="What for. The customer reads it.")
    expires_at = Instant(required=False, allow_null=True, help_text="The first instant without it; null: never.")
    priority = Whole(min_value=0, max_value=100, default=USUAL_PRIORITY, help_text="0 is used first, 100 last.")


class TakeSerializer(Asked):
    """Unused credit that is taken away."""

    amount = Above(help_text="USD.")
    reason = Text(max_length=200, trim_whitespace=True)


class TopUpSerializer(Asked):
    """Money that came in for credit, by other ways than a payment provider."""

    amount = Above(help_text="USD, rounded to cents.")
    reference = Text(max_length=120, trim_whitespace=True, help_text="The bank's, or an order's. Credited once.")


class RedeemSerializer(Asked):
    """A voucher's code."""

    code = Text(max_length=64, trim_whitespace=True)


class AutoTopUpChangesSerializer(Asked):
    """When credit is bought by itself, and how much."""

    is_on = Flag(default=True)
    threshold = money(help_text="USD. When the balance is at it or below.")
    amount = money(min_value=1, help_text="USD. So much is bought.")
    monthly_limit = Above(required=False, allow_null=True, default=None, help_text="USD a month; null: no limit.")


class NewVouchersSerializer(Asked):
    """Codes that are worth credit."""

    amount = Above(help_text="USD, to each customer that uses one.")
    count = Whole(min_value=1, max_value=1_000, default=1, help_text="How many codes.")
    most_uses = Whole(min_value=1, max_value=10**6, default=1, help_text="How many customers may use each.")
    expires_at = Instant(required=False, allow_null=True, help_text="The first instant at which they are of no use.")
    credit_days = Whole(
        min_value=1, max_value=3650, required=False, allow_null=True, help_text="How long their credit lasts once used."
    )
    note = Text(max_length=200, required=False, allow_blank=True, trim_whitespace=True, help_text="For yourselves.")


class LineSerializer(Asked):
    """A line by hand, in the invoice's currency."""

    description = Text(max_length=300, trim_whitespace=True)
    amount = Amount(
        max_digits=14, decimal_places=4, help_text="Without tax where that is added. Below zero takes off; not zero."
    )


class NewInvoiceSerializer(Asked):
    """An invoice besides those of periods."""

    customer = Id()
    lines = serializers.ListField(child=LineSerializer(), min_length=1, max_length=MOST_LINES)
    memo = Text(max_length=500, required=False, allow_blank=True, help_text="A note that is printed on it.")


class ReasonSerializer(Asked):
    """Why; it is shown with the invoice and in the audit log."""

    reason = Text(max_length=300, trim_whitespace=True)


class SendingSerializer(Asked):
    """Whether to send what was sent before."""

    again = Flag(default=False)


class PaidSerializer(Asked):
    """Money that came in for an invoice."""

    reference = Text(max_length=100, trim_whitespace=True, help_text="The bank's, or yours: put down once.")
    amount = Above(required=False, max_value=MOST_MONEY, help_text="In its currency; if not told, what is due.")


class BackSerializer(Asked):
    """How much of a line is taken back."""

    line = Id()
    amount = Above(max_value=MOST_MONEY, help_text="Without tax.")


class NewCreditNoteSerializer(Asked):
    """What is taken back of an invoice, and how."""

    settlement = serializers.ChoiceField(
        choices=CreditNote.Settlement.values,
        help_text="`offset`: off what is due; `credit`: into the wallet; `refund`: to be paid back.",
    )
    reason = Text(max_length=300, trim_whitespace=True)
    lines = serializers.ListField(
        child=BackSerializer(), required=False, min_length=1, max_length=1_000, help_text="Left out: all that is left."
    )


def one_of(objects: QuerySet[M], wanted: Any, name: str) -> M:
    """What the member `name` means, among what the token may name. Raises ValidationError: there is no such thing."""
    found = objects.filter(pk=wanted).first()
    if found is None:
        raise serializers.ValidationError({name: f"There is no such {name.replace('_', ' ')}."})
    return found


def begins_at(asked: dict[str, Any]) -> datetime:
    """From when on what is sent holds: now, if nothing is said. What was charged before stays as it was."""
    now = timezone.now()
    told: datetime | None = asked.get("effective_from")
    if told is not None and told < now:
        raise serializers.ValidationError({"effective_from": "This has passed. What was charged stays as it was."})
    return told or now
