"""manage.py finalize_invoices [--organization acme] [--customer globex] [--all] [--dry-run] [--json]"""

import sys
from argparse import ArgumentParser
from typing import Any

from django.utils import timezone

from apps.billing.commands import add_whose, counted, told, whose
from apps.billing.invoicing.runs import finalize_due
from apps.kit.commands import Command as BaseCommand


class Command(BaseCommand):
    help = "Makes the drafts final that have waited long enough for late usage. Twice changes nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        add_whose(parser)
        parser.add_argument("--all", action="store_true", help="those that wait, too, if their period is over")

    def handle(self, *args: Any, **options: Any) -> None:
        super().handle(*args, **options)
        if self.has_refused:
            sys.exit(1)

    def run(self, **options: Any) -> dict[str, object]:
        organizations, customer = whose(options)
        with counted(organizations, customer) as count:
            runs = {
                organization: finalize_due(
                    organization,
                    at=timezone.now(),
                    customer=customer,
                    all_drafts=options["all"],
                    is_dry_run=options["dry_run"],
                    told=count,
                )
                for organization in organizations
            }
        self.has_refused = any(run.refused for run in runs.values())
        return told(runs, is_dry_run=options["dry_run"], as_json=options["json"])
