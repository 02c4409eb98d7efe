"""manage.py billing_run [--organization S] [--customer S] [--period 2026-10] [--finalize] [--dry-run] [--json]"""

import sys
from argparse import ArgumentParser
from typing import Any

from django.utils import timezone

from apps.billing.commands import add_whose, counted, month, told, whose
from apps.billing.invoicing.runs import billing_run
from apps.kit.commands import Command as BaseCommand


class Command(BaseCommand):
    help = (
        "Builds the invoices of all periods that are over; drafts are built anew. Twice, or ten times at once, makes"
        " the same. Exit code 1 where a customer cannot be invoiced: something has to be set first."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        add_whose(parser)
        parser.add_argument("--period", type=month, metavar="MONTH", help="only what begins in it, such as 2026-10")
        parser.add_argument("--finalize", action="store_true", help="and make them final, without waiting any longer")

    def handle(self, *args: Any, **options: Any) -> None:
        super().handle(*args, **options)
        if self.has_refused:
            sys.exit(1)

    def run(self, **options: Any) -> dict[str, object]:
        organizations, customer = whose(options)
        with counted(organizations, customer) as count:
            runs = {
                organization: billing_run(
                    organization,
                    at=timezone.now(),
                    customer=customer,
                    month=options["period"],
                    finalizes=options["finalize"],
                    is_dry_run=options["dry_run"],
                    told=count,
                )
                for organization in organizations
            }
        self.has_refused = any(run.refused for run in runs.values())
        return told(runs, is_dry_run=options["dry_run"], as_json=options["json"])
