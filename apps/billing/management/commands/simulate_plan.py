from argparse import ArgumentParser
from collections.abc import Mapping
from datetime import date
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from apps.accounts.commands import OrganizationCommand, organization_of
from apps.billing.plan_commands import version_of
from apps.billing.queries.simulation import last_month, month_of, simulate, usage_of
from apps.customers.commands import customer_of


class Command(OrganizationCommand):
    help = "What a customer's month would have cost on a plan, before coupons and tax. Changes nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("plan", metavar="PLAN", help="its slug; PLAN:2 for its second version")
        parser.add_argument("--customer", required=True, metavar="SLUG")
        parser.add_argument("--month", metavar="YYYY-MM", help="the last one that is over, if left out")

    def run(self, **options: Any) -> Mapping[str, object]:
        organization = organization_of(options["organization"])
        customer = customer_of(organization, options["customer"])
        version = version_of(organization, options["plan"])
        zone = organization.time_zone
        month = month_of(_month(options["month"]), zone) if options["month"] else last_month(timezone.now(), zone)
        found = simulate(customer, version, month, usage_of(customer, month))
        pairs = zip(found.charges.lines, found.totals.lines, strict=True)
        return {
            "plan": str(version),
            "customer": customer.slug,
            "month": f"{month.first:%Y-%m}",
            "currency": version.currency,
            "lines": [f"{line.kind} {line.name}: {total.amount}" for line, total in pairs],
            "discount": found.totals.discount,
            "total": found.totals.total,
            "as_requests_are_priced": found.priced,
            "cost": found.cost,
            "margin": found.margin,
        }


def _month(text: str) -> date:
    try:
        return date.fromisoformat(f"{text}-01")
    except ValueError:
        raise CommandError(f"“{text}” is no month: give one such as 2026-10.") from None
