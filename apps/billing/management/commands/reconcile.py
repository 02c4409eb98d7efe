"""manage.py reconcile --organization S --provider openai|anthropic --file EXPORT.csv [--since DAY] [--until DAY]"""

import sys
from argparse import ArgumentParser
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from apps.accounts.commands import organization_of
from apps.billing.reconciling.comparing import Difference, compare
from apps.billing.reconciling.exports import COST, PROVIDERS, Export, Place, read_export
from apps.billing.reconciling.metered import metered
from apps.kit.commands import Command as BaseCommand
from apps.usage.commands import add_days


class Command(BaseCommand):
    help = (
        "Compares a provider's own bill with what was metered, by day of UTC and model. Exit code 1 where they differ."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--organization", required=True, metavar="SLUG")
        parser.add_argument("--provider", required=True, choices=PROVIDERS)
        parser.add_argument("--file", required=True, type=Path, metavar="CSV", help="the export of its console")
        parser.add_argument(
            "--tolerance",
            type=Decimal,
            default=Decimal("0.01"),
            metavar="USD",
            help="by which the cost of a model on a day may differ: providers round (0.01)",
        )
        add_days(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        super().handle(*args, **options)
        if not self.is_equal:
            sys.exit(1)

    def run(self, **options: Any) -> dict[str, object]:
        organization = organization_of(options["organization"])
        export = self._read(options["provider"], options["file"])
        since, until = self._days(export, options)
        billed = {place: sums for place, sums in export.figures.items() if since <= place[0] <= until}
        ours = metered(organization, options["provider"], since, until)
        differences = compare(billed, ours, export.measures, tolerance=options["tolerance"])
        self.is_equal = not differences and not export.not_understood
        return {
            "equal": self.is_equal,
            "provider": options["provider"],
            "since": str(since),
            "until": str(until),
            "compared": list(export.measures),
            "rows": export.rows,
            "billed": _totals(billed, export.measures),
            "metered": _totals(ours, export.measures),
            "differences": [_told(each) if options["json"] else f"\n  {each}" for each in differences],
            "not_understood": export.not_understood,
        }

    def _read(self, provider: str, path: Path) -> Export:
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                return read_export(provider, file)
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{path} can't be read: {error}") from error

    def _days(self, export: Export, options: dict[str, Any]) -> tuple[date, date]:
        """Those of the command line, else the first and the last that the file has."""
        days = export.days
        if not days and not (options["since"] and options["until"]):
            raise CommandError("The file has no row that says what was used: give --since and --until.")
        since, until = options["since"] or days[0], options["until"] or days[-1]
        if since > until:
            raise CommandError(f"--since {since} is after --until {until}.")
        return since, until


def _totals(figures: dict[Place, dict[str, Decimal]], measures: tuple[str, ...]) -> dict[str, str]:
    sums = {each: sum((row.get(each, Decimal(0)) for row in figures.values()), Decimal(0)) for each in measures}
    return {name: f"{amount.normalize():f}" for name, amount in sums.items()}


def _told(difference: Difference) -> dict[str, object]:
    amounts = {"billed": difference.billed, "metered": difference.metered, "difference": difference.gap}
    unit = "USD" if difference.measure == COST else "tokens"
    texts = {name: f"{amount.normalize():f}" for name, amount in amounts.items()}
    return {
        "day": str(difference.day),
        "model": difference.model,
        "measure": difference.measure,
        "unit": unit,
        "what": difference.what,
        **texts,
    }
