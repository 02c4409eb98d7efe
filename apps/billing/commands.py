"""What commands about billing share: whose, of which month, and how far they are."""

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from typing import Any

from django.core.management.base import CommandError
from tqdm import tqdm

from apps.accounts.models import Organization
from apps.billing.invoicing.runs import Run, Told
from apps.customers.commands import customer_of
from apps.customers.models import Customer
from apps.usage.commands import add_optional_organization, optional_organization

Whose = tuple[list[Organization], Customer | None]


def add_whose(parser: ArgumentParser) -> None:
    """`--organization`, `--customer` and `--dry-run`."""
    add_optional_organization(parser)
    parser.add_argument("--customer", metavar="SLUG", help="only this one's; with --organization")
    parser.add_argument("--dry-run", action="store_true", help="tell what would be done, and do nothing")


def whose(options: Mapping[str, Any]) -> Whose:
    """Whom the command line names; everybody if nobody. Raises CommandError."""
    organization = optional_organization(options)
    if organization is None:
        if options["customer"]:
            raise CommandError("Name the customer's organization, too: --organization.")
        return list(Organization.objects.order_by("slug")), None
    customer = customer_of(organization, options["customer"]) if options["customer"] else None
    return [organization], customer


def month(text: str) -> date:
    """ "2026-10". Raises ArgumentTypeError."""
    try:
        return date.fromisoformat(f"{text}-01")
    except ValueError:
        raise ArgumentTypeError(f"“{text}” is not a month such as 2026-10") from None


@contextmanager
def counted(organizations: Iterable[Organization], customer: Customer | None) -> Iterator[Told]:
    """A bar of customers, on a terminal and on standard error; told to the one who does the work."""
    total = 1 if customer else Customer.objects.filter(organization__in=organizations).count()
    with tqdm(total=total, unit=" customers", disable=None) as bar:
        yield bar.update


def told(runs: Mapping[Organization, Run], *, is_dry_run: bool, as_json: bool) -> dict[str, object]:
    """What there is to tell of the runs, all of them together."""
    refused = [
        {"organization": organization.slug, **each} for organization, run in runs.items() for each in run.refused
    ]
    totals: dict[str, Decimal] = {}
    for run in runs.values():
        for currency, amount in run.totals.items():
            totals[currency] = amount + totals.get(currency, Decimal(0))
    return {
        "dry_run": is_dry_run,
        "customers": sum(run.customers for run in runs.values()),
        "made": sum(run.made for run in runs.values()),
        "built_again": sum(run.built_again for run in runs.values()),
        "finalized": sum(run.finalized for run in runs.values()),
        "nothing_to_invoice": sum(run.empty for run in runs.values()),
        "credit_notes": sum(run.credit_notes for run in runs.values()),
        "totals": totals if as_json else [f"{amount:f} {currency}" for currency, amount in sorted(totals.items())],
        "refused": refused if as_json else [" · ".join(each.values()) for each in refused],
    }
