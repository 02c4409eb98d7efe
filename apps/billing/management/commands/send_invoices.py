"""manage.py send_invoices [--organization acme] [--dry-run] [--json]"""

import sys
from argparse import ArgumentParser
from typing import Any

from django.utils import timezone
from tqdm import tqdm

from apps.accounts.models import Organization
from apps.billing.models import Invoice, Mailing
from apps.billing.queries.mailings import invoices_to_send
from apps.billing.services.mailing import address_of, queue_unsent, send_mailing
from apps.kit.commands import Command as BaseCommand
from apps.usage.commands import add_optional_organization, optional_organization


class Command(BaseCommand):
    help = (
        "Sends final invoices that were never sent: of --organization all, otherwise of those who have them sent by"
        " themselves. Each goes out once, however often this runs. Exit code 1 where one could not be sent."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        add_optional_organization(parser)
        parser.add_argument("--dry-run", action="store_true", help="tell what would be sent, and send nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        super().handle(*args, **options)
        if self.has_unsent:
            sys.exit(1)

    def run(self, **options: Any) -> dict[str, object]:
        only = optional_organization(options)
        organizations = [only] if only else list(Organization.objects.filter(seller__sends=True).order_by("slug"))
        if options["dry_run"]:
            waiting = [invoice for organization in organizations for invoice in invoices_to_send(organization)]
            nowhere = [invoice for invoice in waiting if not address_of(invoice)]
            return self._told(len(waiting) - len(nowhere), nowhere, [], is_dry_run=True)
        nowhere = []
        for organization in organizations:
            nowhere += queue_unsent(organization, at=timezone.now())[1]
        sent, failed = _send(organizations)
        return self._told(sent, nowhere, failed, is_dry_run=False)

    def _told(self, sent: int, nowhere: list[Invoice], failed: list[Mailing], *, is_dry_run: bool) -> dict[str, object]:
        self.has_unsent = bool(nowhere or failed)
        return {
            "dry_run": is_dry_run,
            "sent": sent,
            "without_an_address": [invoice.number for invoice in nowhere],
            "failed": [mailing.invoice.number for mailing in failed],
        }


def _send(organizations: list[Organization]) -> tuple[int, list[Mailing]]:
    """Here and now, whether or not a worker runs: whoever claims one first sends it."""
    waiting = Mailing.objects.waiting().filter(invoice__organization__in=organizations, kind=Mailing.Kind.INVOICE)
    sent, failed = 0, []
    for mailing in tqdm(waiting.select_related("invoice").order_by("created_at"), unit=" invoices", disable=None):
        if send_mailing(mailing.pk, at=timezone.now()):
            sent += 1
        elif Mailing.objects.filter(pk=mailing.pk).exclude(error="").exists():
            failed.append(mailing)
    return sent, failed
