"""manage.py seed_usage --organization acme --requests N [--customers C] [--users U] [--days D] [--seed S] [--json]"""

import sys
from argparse import ArgumentParser
from typing import Any

from django.utils import timezone
from tqdm import tqdm

from apps.accounts.commands import OrganizationCommand, organization_of
from apps.ops.seed.usage import seed_usage


class Command(OrganizationCommand):
    help = "Makes up requests of an organization, for trials of speed: never where it has real ones."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--requests", type=int, required=True, metavar="N", help="how many")
        parser.add_argument("--customers", type=int, default=100, metavar="C", help="of how many customers")
        parser.add_argument("--users", type=int, default=1000, metavar="U", help="of how many of their users")
        parser.add_argument("--days", type=int, default=30, metavar="D", help="of the days that end now")
        parser.add_argument("--seed", type=int, default=1, metavar="S", help="of the chance that they are made by")

    def run(self, **options: Any) -> dict[str, object]:
        organization = organization_of(options["organization"])
        sizes = {name: max(options[name], 1) for name in ("requests", "customers", "users", "days")}
        with tqdm(total=sizes["requests"], unit=" requests", unit_scale=True, disable=not sys.stderr.isatty()) as bar:
            made = seed_usage(organization, **sizes, at=timezone.now(), seed=options["seed"], told=bar.update)
        return {"requests": made, "waiting_for": "manage.py rollup, or a worker"}
