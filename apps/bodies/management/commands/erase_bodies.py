"""manage.py erase_bodies --organization acme [--customer globex]"""

from argparse import ArgumentParser
from typing import Any

from django.utils import timezone

from apps.accounts.commands import OrganizationCommand, organization_of
from apps.bodies.services import enforce_policies, erase_bodies
from apps.customers.commands import customer_of


class Command(OrganizationCommand):
    help = "Deletes all stored bodies of requests of an organization, or of one of its customers, for good."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--customer", metavar="SLUG", help="of this one only")

    def run(self, **options: Any) -> dict[str, object]:
        organization = organization_of(options["organization"])
        customer = customer_of(organization, options["customer"]) if options["customer"] else None
        at = timezone.now()
        erase_bodies(organization, customer, by=None, at=at)
        return {"deleted": enforce_policies(organization.pk, at=at)}
