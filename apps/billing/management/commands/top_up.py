"""manage.py top_up --organization acme --customer globex AMOUNT --reference R [--dry-run] [--json]"""

from argparse import ArgumentParser
from decimal import Decimal, InvalidOperation
from typing import Any

from django.db import transaction
from django.utils import timezone

from apps.accounts.commands import OrganizationCommand, organization_of
from apps.billing.models.parties import USD
from apps.billing.money import round_half_away
from apps.billing.services.top_ups import top_up_by_hand
from apps.customers.commands import customer_of


class Command(OrganizationCommand):
    help = "Credits a customer's wallet with money that came in, in USD. The same reference again credits nothing more."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--customer", required=True, metavar="SLUG")
        parser.add_argument("amount", type=amount, help="in USD, rounded to cents")
        parser.add_argument("--reference", required=True, help="the bank's, or an order's: there is one payment of it")
        parser.add_argument("--dry-run", action="store_true", help="tell what would be done, and do nothing")

    def run(self, **options: Any) -> dict[str, object]:
        organization = organization_of(options["organization"])
        customer = customer_of(organization, options["customer"])
        with transaction.atomic():
            lot, is_new = top_up_by_hand(
                customer, options["amount"], reference=options["reference"], by=None, at=timezone.now()
            )
            lot.wallet.account.refresh_from_db()
            answer = {
                "dry_run": options["dry_run"],
                "customer": customer.slug,
                "reference": options["reference"],
                "credited": round_half_away(lot.amount, USD) if is_new else Decimal(0),
                "was_credited_before": not is_new,
                "balance": lot.wallet.balance,
            }
            if options["dry_run"]:
                transaction.set_rollback(True)
        return answer


def amount(text: str) -> Decimal:
    """An amount above zero. Raises ValueError."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise ValueError(text) from None
    if not value.is_finite() or value <= 0:
        raise ValueError(text)
    return value
