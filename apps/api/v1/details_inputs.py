"""Who sells and who buys, as it is sent: checked by the rules of countries, tax ids and currencies."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.api.v1.billing_inputs import Above, Currency, Day
from apps.api.v1.fields import Amount, Asked, Flag, Id, Text, Whole
from apps.billing.countries import countries
from apps.billing.documents.words import LANGUAGES
from apps.billing.models import BillingDetails, Seller
from apps.billing.models.parties import Address
from apps.billing.tax_ids import NotATaxId, checked_tax_id

MOST_DAYS, MOST_REMINDERS = 365, 8
MOST_RATE = 10**9


@extend_schema_field({"type": "string", "pattern": "^([A-Z]{2})?$", "examples": ["BE"]})
class Country(Text):
    """A country by its code, in ISO 3166; empty: none."""

    default_error_messages = {"country": "There is no such country."}  # noqa: RUF012  as the others

    def to_internal_value(self, data: Any) -> str:
        code = super().to_internal_value(data)
        if code and code not in countries():
            self.fail("country")
        return code


class AddressSerializer(Asked):
    """Who somebody is before the law."""

    legal_name = Text(max_length=200, required=False, allow_blank=True)
    address = Text(max_length=500, required=False, allow_blank=True, help_text="In lines, as they are printed.")
    country = Country(required=False, allow_blank=True)
    tax_id = Text(max_length=40, required=False, allow_blank=True, help_text="Checked by the rules of the country.")


class OwnDetailsSerializer(AddressSerializer):
    """What a customer's own token changes."""

    email = serializers.EmailField(
        max_length=254, required=False, allow_blank=True, help_text="Empty: the customer's own address."
    )
    language = serializers.ChoiceField(choices=list(LANGUAGES), required=False)
    purchase_order = Text(max_length=80, required=False, allow_blank=True, help_text="Printed on each invoice.")


class DetailsChangesSerializer(OwnDetailsSerializer):
    """What to change of how a customer is billed. Members that are left out stay as they are."""

    currency = Currency(required=False, allow_blank=True, help_text="Operators. Empty: yours. Fixed once invoiced.")
    tax_status = serializers.ChoiceField(
        choices=BillingDetails.TaxStatus.values, required=False, help_text="Operators."
    )
    tax_rate = Id(required=False, allow_null=True, help_text="Operators. By hand; null: by its country.")
    net_days = Whole(
        min_value=0, max_value=MOST_DAYS, required=False, allow_null=True, help_text="Operators. null: as for all."
    )
    is_reminded = Flag(required=False, help_text="Operators. Of what is overdue.")


class SellerChangesSerializer(AddressSerializer):
    """What to change of how you bill. Members that are left out stay as they are."""

    email = serializers.EmailField(max_length=254, required=False, allow_blank=True)
    currency = Currency(required=False, help_text="Of customers that have none of their own.")
    payment_terms = Text(max_length=1000, required=False, allow_blank=True, help_text="Printed on each invoice.")
    footer = Text(max_length=500, required=False, allow_blank=True)
    accent = serializers.RegexField(r"^#[0-9a-fA-F]{6}$", required=False, help_text="The colour of documents.")
    invoice_prefix = Text(max_length=20, required=False, allow_blank=True)
    credit_note_prefix = Text(max_length=20, required=False, allow_blank=True)
    net_days = Whole(min_value=0, max_value=MOST_DAYS, required=False, help_text="Days to pay.")
    grace_days = Whole(min_value=0, max_value=60, required=False, help_text="So long a draft waits for late usage.")
    finalizes = Flag(required=False, help_text="Drafts are final when these days are over.")
    sends = Flag(required=False, help_text="Invoices go out by e-mail once they are final.")
    tax_rounding = serializers.ChoiceField(choices=Seller.TaxRounding.values, required=False)
    taxed_when = serializers.ChoiceField(choices=Seller.TaxedWhen.values, required=False)
    reminder_days = serializers.ListField(
        child=Whole(min_value=1, max_value=MOST_DAYS),
        required=False,
        max_length=MOST_REMINDERS,
        help_text="Days after it was due on which a reminder goes out; empty: none.",
    )
    final_step = serializers.ChoiceField(choices=Seller.FinalStep.values, required=False)
    final_step_days = Whole(min_value=0, max_value=MOST_DAYS, required=False, help_text="After it was due.")

    def validate_reminder_days(self, days: list[int]) -> list[int]:
        """Each once, in order."""
        return sorted(set(days))


class NewTaxRateSerializer(Asked):
    """A tax from a day on; of the same name and country it takes the place of an earlier one."""

    name = Text(max_length=40, trim_whitespace=True)
    country = Country(default="", allow_blank=True, help_text="Of the customers it is for; empty: given by hand.")
    percent = Amount(max_digits=7, decimal_places=4, min_value=0, max_value=100)
    is_inclusive = Flag(default=False, help_text="Contained in prices.")
    effective_from = Day(required=False, help_text="If not told, today.")


class ExchangeDaySerializer(Asked):
    """A currency, and a day from which a rate of it holds."""

    currency = Currency()
    effective_from = Day(required=False, help_text="If not told, today.")


class ExchangeRateChangesSerializer(ExchangeDaySerializer):
    """What a US dollar is worth from a day on."""

    per_dollar = Above(max_value=MOST_RATE, help_text="For one US dollar.")


def with_tax_id(changes: dict[str, Any], before: Address) -> dict[str, Any]:
    """With the tax id as it is printed, where it or its country changes. Raises ValidationError."""
    if not changes.keys() & {"tax_id", "country"}:
        return changes
    tax_id, country = (changes.get(name, getattr(before, name)) for name in ("tax_id", "country"))
    try:
        return changes | {"tax_id": checked_tax_id(tax_id, country)}
    except NotATaxId as wrong:
        raise serializers.ValidationError({"tax_id": str(wrong)}) from None
