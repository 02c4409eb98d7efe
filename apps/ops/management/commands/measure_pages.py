"""manage.py measure_pages --organization acme [--visits N] [--only TEXT] [--json]"""

from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from apps.accounts.commands import OrganizationCommand, organization_of
from apps.ops.pages import Measured, measure_pages

LINE = "{:48} {:>6} {:>8} {:>8} {:>6} {:>6} {:>6} {:>6} {:>7} {}"


class Command(OrganizationCommand):
    help = "Visits an organization's pages as its owner, and tells the server's time and the queries of each."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--visits", type=int, default=20, metavar="N", help="of each page")
        parser.add_argument("--only", default="", metavar="TEXT", help="only pages with this in their names")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["json"]:
            super().handle(*args, **options)
            return
        self.stdout.write(
            LINE.format("page", "status", "first ms", "kept ms", "least", "median", "p95", "cpu", "queries", "")
        )
        for each in self._measured(options):
            told = (f"{value:.0f}" for value in each[2:8])
            self.stdout.write(LINE.format(each.page, each.status, *told, each.queries, "" if each.is_met else "over"))

    def run(self, **options: Any) -> dict[str, object]:
        return {"pages": [each._asdict() | {"met": each.is_met} for each in self._measured(options)]}

    def _measured(self, options: dict[str, Any]) -> Iterator[Measured]:
        organization = organization_of(options["organization"])
        return measure_pages(organization, visits=max(options["visits"], 1), only=options["only"])
