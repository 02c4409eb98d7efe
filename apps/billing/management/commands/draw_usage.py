"""manage.py draw_usage [--organization acme] [--dry-run] [--json]"""

from argparse import ArgumentParser
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone

from apps.billing.models import Wallet
from apps.billing.queries.spend import BEGINNING, wallets_behind, wallets_off
from apps.billing.services.drawing import draw_usage
from apps.kit.commands import Command as BaseCommand
from apps.usage.commands import add_optional_organization, optional_organization


class Command(BaseCommand):
    help = "Has wallets pay for what is rolled up and not paid yet, of all days: what workers do anyway."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        add_optional_organization(parser)
        parser.add_argument("--dry-run", action="store_true", help="tell what would be done, and do nothing")

    def run(self, **options: Any) -> dict[str, object]:
        organization = optional_organization(options)
        behind = {*wallets_behind(since=BEGINNING), *wallets_off()}
        wallets = Wallet.objects.filter(pk__in=behind).order_by("pk")
        if organization is not None:
            wallets = wallets.filter(customer__organization=organization)
        drawn = [self._draw(wallet, is_dry_run=options["dry_run"]) for wallet in wallets]
        return {"dry_run": options["dry_run"], "wallets": len(drawn), "drawn": sum(drawn, Decimal(0))}

    def _draw(self, wallet: Wallet, *, is_dry_run: bool) -> Decimal:
        with transaction.atomic():
            drawn = draw_usage(wallet.pk, at=timezone.now())
            transaction.set_rollback(is_dry_run)
        return drawn
