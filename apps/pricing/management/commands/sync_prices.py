from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from django.utils import timezone

from apps.kit.commands import Command as BaseCommand
from apps.pricing.sync import sync_prices


class Command(BaseCommand):
    help = "Add the list prices of the installed genai-prices to the price book. Runs twice without effect."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--dry-run", action="store_true", help="only tell what would change")

    def run(self, **options: Any) -> Mapping[str, object]:
        report = sync_prices(at=timezone.now(), dry_run=options["dry_run"])
        return {
            "source": report.source,
            "added": len(report.added),
            "corrected": report.corrected,
            "unchanged": report.unchanged,
            "dry_run": options["dry_run"],
        }
