"""manage.py reprice [--organization acme] [--since DAY] [--until DAY] [--model M] [--again] [--dry-run] [--json]"""

from argparse import ArgumentParser
from typing import Any

from tqdm import tqdm

from apps.kit.commands import Command as BaseCommand
from apps.usage.commands import add_days, add_optional_organization, optional_organization, period_of, zone_of
from apps.usage.reprice import reprice


class Command(BaseCommand):
    help = "Prices the requests whose model had no price when they were made, and mends their hours; others if asked."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        add_optional_organization(parser)
        add_days(parser)
        parser.add_argument("--model", help="only requests that asked for this model or were served it")
        parser.add_argument(
            "--again", action="store_true", help="also those that have a price, by what the book says now of their day"
        )
        parser.add_argument("--dry-run", action="store_true", help="tell what would be done, and do nothing")

    def run(self, **options: Any) -> dict[str, object]:
        organization = optional_organization(options)
        period = period_of(options, zone_of(organization))
        with tqdm(unit=" requests", unit_scale=True, disable=None) as bar:
            done = reprice(
                since=period.since,
                until=period.until,
                organization_id=organization.pk if organization else None,
                model=options["model"],
                is_again=options["again"],
                is_dry_run=options["dry_run"],
                tell=bar.update,
            )
        unknown = [
            {"provider": provider, "model": model, "requests": requests}
            for (provider, model), requests in sorted(done.unknown.items())
        ]
        return {
            "dry_run": options["dry_run"],
            "requests": done.requests,
            "cost": done.cost,
            "price": done.price,
            "without_price": unknown,
        }
