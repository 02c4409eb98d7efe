"""manage.py remind [--organization acme] [--dry-run] [--json]"""

from argparse import ArgumentParser
from typing import Any

from django.utils import timezone

from apps.accounts.models import Organization
from apps.billing.services.dunning import Dunned, reinstate_customer, run_dunning, suspended_by_dunning
from apps.kit.commands import Command as BaseCommand
from apps.usage.commands import add_optional_organization, optional_organization


class Command(BaseCommand):
    help = (
        "Reminds of invoices that are overdue, suspends at last, and lets in again who paid, as each operator set it."
        " Beat does so every hour; twice is as good as once."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        add_optional_organization(parser)
        parser.add_argument("--dry-run", action="store_true", help="tell what would be done, and do nothing")

    def run(self, **options: Any) -> dict[str, object]:
        only, now, done = optional_organization(options), timezone.now(), Dunned()
        organizations = [only] if only else Organization.objects.order_by("slug")
        for organization in organizations:
            done.add(run_dunning(organization, at=now, is_dry_run=options["dry_run"]))
        let_in = 0
        if not options["dry_run"]:
            suspended = suspended_by_dunning()
            suspended = suspended.filter(organization=only) if only else suspended
            let_in = sum(reinstate_customer(customer, at=now) for customer in suspended)
        return {
            "dry_run": options["dry_run"],
            "reminded": done.reminded,
            "suspended": done.suspended,
            "let_in_again": let_in,
        }
