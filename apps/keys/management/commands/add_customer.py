"""manage.py add_customer --organization acme "Globex" [--email E] [limits] [--provider-key ID ...]"""

from argparse import ArgumentParser
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError
from django.utils.text import slugify

from apps.accounts.commands import OrganizationCommand, organization_of
from apps.accounts.models import Organization
from apps.keys.models import ProviderKey
from apps.keys.services.customers import add_customer_with_keys

COUNTS = {
    "requests_per_minute": "requests a minute",
    "requests_per_hour": "requests an hour",
    "requests_per_day": "requests in 24 hours",
    "tokens_per_minute": "tokens a minute",
    "max_concurrent": "requests at once",
}
AMOUNTS = {
    "daily_cap": ("USD", "spend a day"),
    "monthly_cap": ("USD", "spend a month"),
    "total_cap": ("USD", "spend in total"),
    "markup": ("PERCENT", "what is added to the cost; otherwise the organization's default"),
}


class Command(OrganizationCommand):
    help = "Adds a customer. A limit left out is none; 0 lets nothing through. Its --email is invited as admin."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("name")
        parser.add_argument("--slug", help="how commands call it; otherwise made from the name")
        parser.add_argument("--email", default="")
        for name, what in COUNTS.items():
            parser.add_argument(_option(name), type=int, metavar="N", help=what)
        for name, (unit, what) in AMOUNTS.items():
            parser.add_argument(_option(name), type=amount, metavar=unit, help=what)
        parser.add_argument(
            "--provider-key",
            dest="provider_keys",
            type=UUID,
            nargs="+",
            action="extend",
            default=[],
            metavar="ID",
        )
        parser.add_argument("--no-invitation", action="store_true", help="invite nobody")

    def run(self, **options: Any) -> dict[str, object]:
        organization = organization_of(options["organization"])
        customer, link = add_customer_with_keys(
            organization,
            name=options["name"],
            slug=options["slug"] or slugify(options["name"]),
            by=None,
            provider_keys=_keys(organization, options["provider_keys"]),
            invite=not options["no_invitation"],
            email=options["email"],
            markup_percent=options["markup"],
            daily_cap=options["daily_cap"],
            monthly_cap=options["monthly_cap"],
            total_cap=options["total_cap"],
            **{name: options[name] for name in COUNTS},
        )
        return {"id": customer.pk, "slug": customer.slug, "name": customer.name, "invitation": link or None}


def amount(text: str) -> Decimal:
    """An amount as people write it. Raises ValueError, for infinity and the like too."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise ValueError(text) from None
    if not value.is_finite():
        raise ValueError(text)
    return value


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _keys(organization: Organization, ids: Iterable[UUID]) -> list[ProviderKey]:
    keys = {key.pk: key for key in organization.provider_keys.filter(pk__in=ids)}
    if missing := [str(wanted) for wanted in ids if wanted not in keys]:
        raise CommandError(f"{organization} has no provider key {', '.join(missing)}.")
    return [keys[wanted] for wanted in dict.fromkeys(ids)]
