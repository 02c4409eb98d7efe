"""manage.py add_proxy_key --organization acme --customer globex --name ci"""

from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.utils import timezone

from apps.accounts.commands import OrganizationCommand, organization_of
from apps.customers.commands import customer_of
from apps.keys.services.proxy_keys import mint_proxy_key


class Command(OrganizationCommand):
    help = "Mints a proxy key for a customer, and prints it: it is not to be had again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--customer", required=True, metavar="SLUG")
        parser.add_argument("--name", required=True)
        parser.add_argument(
            "--expires-at",
            type=instant,
            metavar="TIME",
            help="ISO 8601, such as 2027-01-31T00:00Z; UTC if not told",
        )

    def run(self, **options: Any) -> dict[str, object]:
        customer = customer_of(organization_of(options["organization"]), options["customer"])
        key, plain = mint_proxy_key(customer, name=options["name"], by=None, expires_at=options["expires_at"])
        return {"id": key.pk, "key": plain, "name": key.name, "expires_at": key.expires_at}


def instant(text: str) -> datetime:
    """An aware time. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else timezone.make_aware(moment, timezone.get_default_timezone())
