"""manage.py revoke_proxy_key --organization acme ID"""

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError

from apps.accounts.commands import OrganizationCommand, organization_of
from apps.keys.models import ProxyKey
from apps.keys.services.proxy_keys import revoke_proxy_key


class Command(OrganizationCommand):
    help = "Refuses a proxy key from now on, on every proxy within a second. Again: changes nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("id", type=UUID, help="as add_proxy_key printed it")

    def run(self, **options: Any) -> dict[str, object]:
        organization = organization_of(options["organization"])
        key = ProxyKey.objects.filter(organization=organization, pk=options["id"]).first()
        if key is None:
            raise CommandError(f"{organization} has no proxy key {options['id']}.")
        key = revoke_proxy_key(key, by=None)
        return {"id": key.pk, "name": key.name, "revoked_at": key.revoked_at}
