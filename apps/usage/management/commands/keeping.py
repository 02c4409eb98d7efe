"""manage.py keeping --organization acme [--hours-days N|usual …] [--delete] [--json]"""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from apps.accounts.commands import OrganizationCommand, organization_of
from apps.usage.keepings import OWN, in_force, levels, losses, own_keeping, problems, set_keeping

USUAL = "usual"  # as the installation has it


class Command(OrganizationCommand):
    help = (
        "What an organization keeps: end users and values counted apart on a day, and for how many days requests, "
        "hourly and daily sums are there. 0 days: for ever."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        for name in OWN:
            parser.add_argument(f"--{name.replace('_', '-')}", type=number, metavar=f"N|{USUAL}")
        parser.add_argument("--delete", action="store_true", help="also where something there is goes by the change")

    def run(self, **options: Any) -> dict[str, object]:
        organization, at = organization_of(options["organization"]), timezone.now()
        asked = {name: options[name] for name in OWN if options[name] is not None}
        changes = {name: None if value == USUAL else value for name, value in asked.items()}
        keeping = own_keeping(organization)
        own = {name: getattr(keeping, name) for name in OWN}
        wanted = own | changes
        if not problems(wanted, own) and not options["delete"]:
            told = [
                f"{each.label} from {each.oldest} until {each.before}"
                for each in losses(organization, wanted, own, at=at)
            ]
            if told:
                raise CommandError(f"This deletes {', '.join(told)}. With --delete it is done.")
        if changes:
            set_keeping(organization, by=None, **changes)
        found = levels(organization, wanted)
        oldest = {f"oldest_of_{level.name.removesuffix('_days')}": level.oldest for level in found}
        return {"organization": organization.slug} | in_force(wanted) | oldest


def number(text: str) -> int | str:
    """So many, or as the installation has it. Raises ValueError."""
    return text if text == USUAL else int(text)
