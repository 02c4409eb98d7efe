"""manage.py usage --organization acme [--customer globex] [--by …] [--since DAY] [--until DAY] [--format …]"""

import json
from argparse import ArgumentParser
from typing import Any

from django.utils import timezone

from apps.accounts.commands import OrganizationCommand, organization_of
from apps.customers.commands import customer_of
from apps.usage.commands import add_days, period_of, zone_of
from apps.usage.queries import Scope
from apps.usage.report import DIMENSIONS, Report, usage_report
from apps.usage.tables import as_csv, as_table, plain


class Command(OrganizationCommand):
    help = "What was used, and for how much (USD), in days of the organization's time zone; this month unless told."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--customer", metavar="SLUG", help="only this customer's")
        parser.add_argument("--by", type=grouping, metavar="|".join((*DIMENSIONS, "day", "property:NAME")))
        add_days(parser)
        parser.add_argument("--format", choices=("json", "csv", "table"), default="table")

    def handle(self, *args: Any, **options: Any) -> None:
        organization = organization_of(options["organization"])
        customer = customer_of(organization, options["customer"]) if options["customer"] else None
        zone = zone_of(organization)
        today = timezone.now().astimezone(zone).date()
        since = min(today, options["until"] or today).replace(day=1)
        period = period_of(options, zone, since=since, until=max(today, options["since"] or today))
        scope = Scope(organization.pk, period.since, period.until, customer_id=customer.pk if customer else None)
        report = usage_report(scope, options["by"], organization=organization)
        match "json" if options["json"] else options["format"]:
            case "json":
                told = {"organization": organization.slug, "since": period.since, "until": period.until}
                self.stdout.write(json.dumps({name: plain(value) for name, value in told.items()} | _as_json(report)))
            case "csv":
                self.stdout.write(as_csv(report.columns, report.rows), ending="")
            case _:
                total = {report.columns[0]: "total"} | report.total if options["by"] else report.total
                rows = [*report.rows, total] if options["by"] else report.rows
                self.stdout.write(as_table(report.columns, rows))


def _as_json(report: Report) -> dict[str, object]:
    rows = [{name: plain(value) for name, value in row.items()} for row in report.rows]
    return {"rows": rows, "total": {name: plain(value) for name, value in report.total.items()}}


def grouping(text: str) -> str:
    """What `--by` may say. Raises ValueError."""
    if text in (*DIMENSIONS, "day") or (text.startswith("property:") and text != "property:"):
        return text
    raise ValueError
