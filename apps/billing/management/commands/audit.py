"""manage.py audit [--organization acme] [--since DAY] [--until DAY] [--deep] [--json]"""

import sys
from argparse import ArgumentParser
from functools import partial
from typing import Any

from tqdm import tqdm

from apps.billing.audit.deep import Deep, deep_audit
from apps.kit.commands import Command as BaseCommand
from apps.usage.audit import Audit, audit
from apps.usage.commands import add_days, add_optional_organization, optional_organization, period_of, zone_of


class Command(BaseCommand):
    help = (
        "Proves that the roll-ups are the sums of the requests; with --deep also that ledger, wallets and invoices are"
        " what follows from them. Exit code 1 where not, with what differs."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        add_optional_organization(parser)
        add_days(parser)
        parser.add_argument("--deep", action="store_true", help="to the last line of an invoice, of all days")

    def handle(self, *args: Any, **options: Any) -> None:
        super().handle(*args, **options)
        if not self.found.is_equal or (self.deep and not self.deep.is_equal):
            sys.exit(1)

    def run(self, **options: Any) -> dict[str, object]:
        organization = optional_organization(options)
        owned = organization.pk if organization else None
        period = period_of(options, zone_of(organization))
        self.found = audit(
            organization_id=owned,
            since=period.since if options["since"] else None,
            until=period.until if options["until"] else None,
            follow=partial(tqdm, unit=" stretches of time", disable=None),
        )
        self.deep = deep_audit(owned) if options["deep"] else None
        told = _told(self.found, as_json=options["json"])
        return told | _told_of(self.deep, as_json=options["json"]) if self.deep else told


def _told(found: Audit, *, as_json: bool) -> dict[str, object]:
    return {
        "equal": found.is_equal,
        "requests": found.requests,
        "waiting": found.waiting,
        "dead_letters": found.dead_letters,
        "differences": [each._asdict() if as_json else str(each) for each in found.differences],
        "wrong_batches": [each._asdict() if as_json else str(each) for each in found.wrong_batches],
    }


def _told_of(found: Deep, *, as_json: bool) -> dict[str, object]:
    return {
        "adds_up": found.is_equal,
        "invoices": found.invoices,
        "transactions": found.transactions,
        "not_invoiced_yet": [each.as_dict() if as_json else str(each) for each in found.not_invoiced],
        "not_drawn_yet": [each.as_dict() if as_json else str(each) for each in found.not_drawn],
        "findings": [each.as_dict() if as_json else str(each) for each in found.findings],
    }
