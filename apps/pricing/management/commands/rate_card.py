"""manage.py rate_card NAME --organization acme [--file RULES.json|.csv] [--from INSTANT] [--default] [--json]

manage.py rate_card --customer globex --organization acme --file RULES.json
"""

import csv
import json
from argparse import ArgumentParser
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.db import transaction
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from apps.accounts.commands import organization_of
from apps.accounts.models import Organization
from apps.customers.models import Customer
from apps.kit.commands import Command as BaseCommand
from apps.pricing.card_book import told_of, version_at
from apps.pricing.models import RateCard
from apps.pricing.rate_cards import add_rate_card, set_own_rates, set_rates, use_rate_card
from apps.pricing.rating import KINDS
from apps.pricing.rules import FIELDS, BadRules, Mode, clean_rules

LARGEST = 4 * 1024 * 1024  # bytes of a file


class Command(BaseCommand):
    help = "Shows a rate card, or gives it the rules of a file as a new version; the card is made where there is none."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("name", nargs="?", help="the card; without one, all cards, or a customer's own rates")
        parser.add_argument("--organization", required=True)
        parser.add_argument("--customer", help="its id or slug: its own rates; with a name, it is put on that card")
        parser.add_argument("--file", type=Path, help="rules: a list in JSON, or CSV with their fields as columns")
        parser.add_argument("--from", dest="effective_from", help="ISO date and time with its zone; now if left out")
        parser.add_argument("--note", default="", help="why, for those who read it later")
        parser.add_argument("--default", action="store_true", help="customers without a card are on it from then on")

    def run(self, **options: Any) -> Mapping[str, object]:
        organization = organization_of(options["organization"])
        customer = _customer(organization, options["customer"]) if options["customer"] else None
        rules = _rules(options["file"]) if options["file"] else None
        name, since = options["name"], _instant(options["effective_from"])
        if name is None and customer is None:
            return {"rate_cards": [_told(card) for card in organization.rate_cards.filter(customer=None)]}
        if name is None and options["default"]:
            raise CommandError("Name the card that is to be the default.")
        with transaction.atomic():
            card = _card(organization, name, customer, rules, since, options["note"])
            if options["default"]:
                use_rate_card(organization, None, card, effective_from=since, by=None)
            if name is not None and customer is not None:
                use_rate_card(organization, customer, card, effective_from=since, by=None)
        return _told(card)


def _card(
    organization: Organization,
    name: str | None,
    customer: Customer | None,
    rules: list[dict[str, Any]] | None,
    since: datetime,
    note: str,
) -> RateCard:
    """The card that is meant, with the rules, if there are any. The same rules again are no new version."""
    if name is not None:
        card = organization.rate_cards.filter(customer=None, name=name).first()
    elif customer is not None:
        card = RateCard.objects.filter(customer=customer).first()
    if card is None and rules is None:
        raise CommandError(f"There is no rate card “{name}”." if name else f"{customer} has no rates of its own.")
    if rules is None or (card is not None and _is_same(card, rules, since)):
        return card  # type: ignore[return-value]
    if card is not None:
        set_rates(card, rules=rules, effective_from=since, by=None, note=note)
        return card
    if name is not None:
        return add_rate_card(organization, name=name, rules=rules, effective_from=since, by=None, note=note)
    assert customer is not None
    return set_own_rates(customer, rules=rules, effective_from=since, by=None, note=note).card


def _is_same(card: RateCard, rules: list[dict[str, Any]], since: datetime) -> bool:
    """Whether the card has just these rules at that time."""
    version = version_at(card, since)
    try:
        cleaned = clean_rules(rules)
    except BadRules:
        return False  # the service says what is wrong
    return version is not None and [told_of(row) for row in version.rules.order_by("pk")] == cleaned


def _told(card: RateCard) -> dict[str, object]:
    versions = card.versions.order_by("number")
    return {
        "id": card.pk,
        "name": str(card),
        "versions": [
            {
                "number": version.number,
                "effective_from": version.effective_from,
                "note": version.note,
                "rules": [told_of(row).as_told() for row in version.rules.order_by("pk")],
            }
            for version in versions
        ],
    }


def _customer(organization: Organization, named: str) -> Customer:
    found = organization.customers.filter(slug=named).first()
    if found is None:
        found = next((each for each in organization.customers.all() if str(each.pk) == named.lower()), None)
    if found is None:
        raise CommandError(f"There is no customer “{named}”.")
    return found


def _rules(path: Path) -> list[dict[str, Any]]:
    try:
        if path.stat().st_size > LARGEST:
            raise CommandError(f"{path} is too large to be a rate card.")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} cannot be read: {error}") from error
    return _from_csv(text) if path.suffix.lower() == ".csv" else _from_json(path, text)


def _from_json(path: Path, text: str) -> list[dict[str, Any]]:
    """A list of rules, or an object that has it as "rules". Numbers are read as they are written."""
    try:
        told = json.loads(text, parse_float=str, parse_int=str)
    except ValueError as error:
        raise CommandError(f"{path} is no JSON: {error}") from error
    rules = told.get("rules") if isinstance(told, dict) else told
    if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
        raise CommandError(f"{path} has no list of rules.")
    return rules


def _from_csv(text: str) -> list[dict[str, Any]]:
    """Columns are fields of rules; any other is a kind of token or a piece: its price, or its markup in cost_plus."""
    rules = []
    for row in csv.DictReader(text.splitlines()):
        filled = {name.strip(): value.strip() for name, value in row.items() if name and value and value.strip()}
        rule: dict[str, Any] = {name: value for name, value in filled.items() if name in FIELDS}
        rest = {name: value for name, value in filled.items() if name not in FIELDS}
        if rule.get("mode") == Mode.COST_PLUS:
            rule["markups"] = rest
        else:
            rule["rates"] = {name: value for name, value in rest.items() if name in KINDS}
            rule["units"] = {name: value for name, value in rest.items() if name not in KINDS}
        rules.append(rule)
    return rules


def _instant(text: str | None) -> datetime:
    if text is None:
        return timezone.now()
    instant = parse_datetime(text)
    if instant is None or instant.tzinfo is None:
        raise CommandError("--from takes an ISO date and time with its zone, such as 2026-12-01T00:00:00Z.")
    return instant
