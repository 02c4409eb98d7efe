from argparse import ArgumentParser
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from django.utils import timezone

from apps.accounts.commands import OrganizationCommand, organization_of
from apps.billing.models import Subscription
from apps.billing.plan_commands import NO_PLAN, version_of
from apps.billing.queries.subscriptions import next_subscription, subscription_at
from apps.billing.services.subscriptions import change_subscription, end_subscription, subscribe
from apps.customers.commands import customer_of
from apps.customers.models import Customer


class Command(OrganizationCommand):
    help = "Put a customer on a plan, or change the one that it is on: when the period is over, or --now."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("plan", metavar="PLAN", help="its slug; “none” ends the plan that the customer is on")
        parser.add_argument("--customer", required=True, metavar="SLUG")
        parser.add_argument("--from", dest="starts_on", type=date.fromisoformat, metavar="DAY", help="of a first plan")
        parser.add_argument("--trial-days", type=int, help="of a first plan; as the plan has it, if left out")
        parser.add_argument("--now", action="store_true", help="change it today, not when the period is over")

    def run(self, **options: Any) -> Mapping[str, object]:
        organization = organization_of(options["organization"])
        customer = customer_of(organization, options["customer"])
        at = timezone.now()
        current = subscription_at(customer, at) or next_subscription(customer, at)
        if options["plan"] == NO_PLAN:
            return _told(customer, _ended(current, at, options))
        version = version_of(organization, options["plan"])
        if current is None:
            first = {"starts_on": options["starts_on"], "trial_days": options["trial_days"]}
            return _told(customer, subscribe(customer, version, by=None, at=at, **first))
        if current.version_id == version.pk and current.ends_at is None:
            return _told(customer, current)  # said twice
        follows = change_subscription(current, version, by=None, at=at, at_period_end=not options["now"])
        return _told(customer, follows)


def _ended(current: Subscription | None, at: datetime, options: Mapping[str, Any]) -> Subscription | None:
    if current is None or current.ends_at is not None:
        return current
    return end_subscription(current, by=None, at=at, at_period_end=not options["now"])


def _told(customer: Customer, subscription: Subscription | None) -> Mapping[str, object]:
    if subscription is None:
        return {"customer": customer.slug, "plan": None}
    return {
        "customer": customer.slug,
        "plan": str(subscription.version),
        "starts_at": subscription.starts_at,
        "ends_at": subscription.ends_at,
    }
