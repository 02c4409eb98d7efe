"""What commands that are about an organization share."""

from argparse import ArgumentParser

from django.core.management.base import CommandError

from apps.accounts.models import Organization
from apps.kit.commands import Command


class OrganizationCommand(Command):
    """A command with `--organization`, the slug of the one it is about."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--organization", required=True, metavar="SLUG", help="whose it is, such as acme")


def organization_of(slug: str) -> Organization:
    """The organization of that slug. Raises CommandError."""
    if organization := Organization.objects.filter(slug=slug).first():
        return organization
    raise CommandError(f"There is no organization “{slug}”.")
