"""Plans, coupons and subscriptions, as they are sent."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from rest_framework import serializers

from apps.accounts.models import Organization
from apps.api.v1.billing_inputs import MOST_MONEY, Above, Currency, Day, money, one_of
from apps.api.v1.fields import Amount, Asked, Flag, Id, Text, Whole
from apps.billing.models import PlanVersion
from apps.billing.terms import INCLUDED, PACKAGE, PER, Metric
from apps.billing.tiers import Mode

MOST_ROWS, MOST_TIERS = 20, 100
WHEN = ("period_end", "now")


def _part(**options: Any) -> Amount:
    return Amount(min_value=0, required=False, **options)


class Per(serializers.ChoiceField):
    """For how many a price is: in text, as all numbers here."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid_choice", input=data)
        return str(super().to_internal_value(data))


class PriceTierSerializer(Asked):
    """Up to how many, what one costs, and what is added once."""

    up_to = Amount(min_value=0, allow_null=True, default=None, help_text="null: all above.")
    unit = Amount(min_value=0, default=Decimal(0), help_text="For so many as `per` says.")
    flat = _part(help_text="Once, for the tier.")


class ChargeSerializer(Asked):
    """Usage of some models that is priced over the whole period, in place of each request's own price."""

    name = Text(max_length=80, trim_whitespace=True, help_text="On the invoice.")
    models = Text(max_length=120, default="*", help_text="Such as gpt-4o* or *.")
    metric = serializers.ChoiceField(choices=[metric.value for metric in Metric])
    mode = serializers.ChoiceField(choices=[*(mode.value for mode in Mode), PACKAGE], default=Mode.GRADUATED.value)
    per = Per(choices=PER, default=PER[0], help_text="For how many a price is.")
    tiers = serializers.ListField(child=PriceTierSerializer(), max_length=MOST_TIERS)
    free = _part(help_text="So many cost nothing.")
    package_size = _part(help_text="Of packages: one that is begun counts whole.")
    minimum = _part()
    maximum = _part()


class AllowanceSerializer(Asked):
    """Tokens or requests that each period includes."""

    name = Text(max_length=80, trim_whitespace=True, help_text="On the invoice.")
    models = Text(max_length=120, default="*")
    metric = serializers.ChoiceField(choices=[metric.value for metric in INCLUDED])
    quantity = Above(max_value=MOST_MONEY)
    rolls_over = Flag(default=False, help_text="What is left goes on to the next period.")


class TermsSerializer(Asked):
    """The terms of a plan. Members that are left out are as in the version before; of a new plan, as is usual."""

    currency = Currency(required=False, help_text="Of all amounts here. USD, if not told.")
    interval = serializers.ChoiceField(choices=PlanVersion.Interval.values, required=False)
    alignment = serializers.ChoiceField(choices=PlanVersion.Alignment.values, required=False)
    fee = money(required=False, max_value=MOST_MONEY, help_text="For each period.")
    fee_due = serializers.ChoiceField(choices=PlanVersion.FeeDue.values, required=False)
    settlement = serializers.ChoiceField(choices=PlanVersion.Settlement.values, required=False)
    allowance = money(
        required=False, max_value=MOST_MONEY, help_text="Usage that is included, as credit at the start of each period."
    )
    allowance_rolls_over = Flag(required=False)
    allowances = serializers.ListField(child=AllowanceSerializer(), required=False, max_length=MOST_ROWS)
    charges = serializers.ListField(child=ChargeSerializer(), required=False, max_length=MOST_ROWS)
    minimum = money(required=False, max_value=MOST_MONEY, help_text="What fee and usage come to at least.")
    discount_percent = Amount(
        max_digits=7, decimal_places=4, min_value=0, max_value=100, required=False, help_text="Off all of the invoice."
    )
    trial_days = Whole(min_value=0, max_value=3650, required=False)
    rate_card = Id(required=False, allow_null=True, help_text="By which requests are priced; null: as without a plan.")


class NewPlanSerializer(TermsSerializer):
    """A plan, and its first terms."""

    name = Text(max_length=80, trim_whitespace=True)
    description = Text(max_length=500, required=False, allow_blank=True, help_text="Customers see it.")


class PlanNameSerializer(Asked):
    """What a plan is called, which is not among its terms."""

    name = Text(max_length=80, required=False, trim_whitespace=True)
    description = Text(max_length=500, required=False, allow_blank=True)


class NewSubscriptionSerializer(Asked):
    """A customer, on the newest terms of a plan."""

    customer = Id()
    plan = Id()
    starts_on = Day(required=False, allow_null=True, help_text="The first day; null: today. Earlier, if not invoiced.")
    trial_days = Whole(
        min_value=0, max_value=3650, required=False, allow_null=True, help_text="null: as the plan has it."
    )


class ChangeSerializer(Asked):
    """Another plan, or the newest terms of the same; and when."""

    plan = Id()
    when = serializers.ChoiceField(choices=WHEN, default=WHEN[0], help_text="`now`: from this morning on.")


class EndSerializer(Asked):
    """When a subscription ends."""

    when = serializers.ChoiceField(choices=WHEN, default=WHEN[0], help_text="`now`: after today.")


class NewCouponSerializer(Asked):
    """A discount of percent or of an amount."""

    code = Text(max_length=40, trim_whitespace=True)
    percent = Amount(max_digits=7, decimal_places=4, min_value=0, max_value=100, required=False, allow_null=True)
    amount = Above(max_value=MOST_MONEY, required=False, allow_null=True)
    currency = Currency(default="USD")
    periods = Whole(min_value=1, max_value=1200, required=False, allow_null=True, help_text="null: for ever.")


class CouponOfSerializer(Asked):
    """A coupon, for a customer."""

    coupon = Id()


def terms_of(sent: dict[str, Any], organization: Organization) -> dict[str, Any]:
    """As the service takes them: rows with amounts as text, the rate card by its id. Raises ValidationError."""
    terms = {name: value for name, value in sent.items() if name != "rate_card"}
    for name in ("charges", "allowances"):
        if name in terms:
            terms[name] = [_stored(row) for row in terms[name]]
    if "rate_card" in sent:
        cards = organization.rate_cards.filter(customer=None)
        terms["rate_card_id"] = one_of(cards, sent["rate_card"], "rate_card").pk if sent["rate_card"] else None
    return terms


def _stored(row: Mapping[str, Any]) -> dict[str, Any]:
    told = {name: f"{value.normalize():f}" if isinstance(value, Decimal) else value for name, value in row.items()}
    if "tiers" in told:
        told["tiers"] = [_stored(tier) for tier in told["tiers"]]
    return told
