"""What addresses that tell of usage share: whose usage is asked for, and of when."""

from datetime import UTC
from typing import Any
from zoneinfo import ZoneInfo

from apps.api.v1.base import ApiView
from apps.api.v1.fields import Id, Text
from apps.api.v1.params import ForCustomer, Spanned, span_of
from apps.usage.queries import ANY, Period, Scope


class UsageParams(Spanned, ForCustomer):
    """Whose usage, and of when. Hours count that begin in the time asked for."""

    OPERATORS = ("provider",)

    key = Id(required=False, help_text="With this proxy key only.")
    user = Text(required=False, allow_blank=True, help_text="Of this end user only; empty: requests that name none.")
    model = Text(required=False, max_length=200, help_text="Of this model only, as the token may know it.")
    provider = Text(required=False, max_length=40, help_text="At this provider only. Operators.")


class UsageView(ApiView):
    def scope(self, params: dict[str, Any], period: Period | None = None) -> Scope:
        """What usage is asked for. Somebody else's customer is not there."""
        since, until = period or self.in_days(span_of(params, self.zone))
        user = params.get("user")
        return Scope(
            self.organization.pk,
            since,
            until,
            customer_id=self.customer_in(params),
            proxy_key_id=params.get("key"),
            provider=params.get("provider"),
            **{"model" if self.is_operators else "sold_as": params.get("model")},
            end_user=ANY if user is None else user or None,
        )

    def in_days(self, period: Period, zone: ZoneInfo | None = None) -> Period:
        """The same, told so that whole days of the organization are summed as days; of another zone, as hours."""
        there = zone or self.zone
        if there != self.zone:
            return in_hours(period)
        return Period(period.since.astimezone(there), period.until.astimezone(there))


def in_hours(period: Period) -> Period:
    """The same, told so that hours are summed."""
    return Period(period.since.astimezone(UTC), period.until.astimezone(UTC))
