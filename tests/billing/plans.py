"""Plans for tests, and a clock's worth of instants in the zone that they are billed in."""

from datetime import datetime
from decimal import Decimal
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

from apps.accounts.models import Organization
from apps.billing.models import PlanVersion
from apps.billing.services.plans import add_plan

PARIS = ZoneInfo("Europe/Paris")
NOON = datetime(2026, 3, 19, 12, tzinfo=PARIS)  # a Thursday; clocks change on the 29th
TIERS = [{"name": "Tokens", "metric": "tokens", "per": "1000000", "tiers": [{"up_to": None, "unit": "2"}]}]

_numbers = count(1)


def a_plan(organization: Organization, name: str = "", **terms: Any) -> PlanVersion:
    """The first version of a new plan: 31 USD a calendar month in advance, unless told otherwise."""
    values = {"fee": Decimal(31)} | terms
    return add_plan(organization, name=name or f"Plan {next(_numbers)}", by=None, at=NOON, **values)


def midnight(month: int, day: int) -> datetime:
    """In Paris, in 2026."""
    return datetime(2026, month, day, tzinfo=PARIS)
