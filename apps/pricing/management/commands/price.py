from argparse import ArgumentParser
from collections.abc import Iterable, Mapping
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from apps.accounts.models import Organization
from apps.kit.commands import Command as BaseCommand
from apps.pricing.rating import KINDS, REQUEST
from apps.pricing.services import set_price


class Command(BaseCommand):
    help = "Set what a provider charges an organization for a model, in USD a million tokens."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("model")
        parser.add_argument("--organization", required=True)
        parser.add_argument("--provider", default="openai")
        parser.add_argument("--from", dest="effective_from", help="ISO date and time with its zone; now if left out")
        parser.add_argument("--max-output-tokens", type=int, help="the most that the model writes in one answer")
        parser.add_argument("--context-window", type=int, help="the most tokens that the model takes in")
        for kind in (*KINDS, REQUEST):
            unit = "USD a call" if kind == REQUEST else "USD a million"
            parser.add_argument(f"--{kind.replace('_', '-')}", dest=f"rate_{kind}", metavar="USD", help=unit)
        parser.add_argument(
            "--unit", dest="units", action="append", default=[], metavar="NAME=USD", help="USD a piece: web_search=0.01"
        )
        parser.add_argument(
            "--service",
            dest="services",
            action="append",
            default=[],
            metavar="TIER:NAME=USD",
            help="what differs in a service tier: flex:input=1, flex:web_search=0.005",
        )

    def run(self, **options: Any) -> Mapping[str, object]:
        organization = Organization.objects.filter(slug=options["organization"]).first()
        if organization is None:
            raise CommandError(f"There is no organization “{options['organization']}”.")
        given = {kind: options[f"rate_{kind}"] for kind in (*KINDS, REQUEST)}
        rates = {kind: rate for kind, rate in given.items() if rate is not None}
        units = dict(map(_told, options["units"]))
        if not rates and not units:
            raise CommandError("Give at least one rate, such as --input 0.15 --output 0.60.")
        price = set_price(
            organization,
            provider=options["provider"],
            model=options["model"],
            rates=rates,
            units=units,
            services=_services(options["services"]),
            effective_from=_instant(options["effective_from"]),
            max_output_tokens=options["max_output_tokens"],
            context_window=options["context_window"],
            by=None,
        )
        told = ("provider", "model", "rates", "units", "services")
        return {"id": price.pk, **{name: getattr(price, name) for name in told}}


def _told(text: str) -> tuple[str, str]:
    name, equals, rate = text.partition("=")
    if not (name and equals and rate):
        raise CommandError(f"“{text}” is no price: give a name and USD, such as web_search=0.01.")
    return name, rate


def _services(told: Iterable[str]) -> dict[str, dict[str, dict[str, str]]]:
    """By service tier, from "flex:input=1"; what is no kind of token is charged by the piece."""
    services: dict[str, dict[str, dict[str, str]]] = {}
    for text in told:
        service, _, rest = text.partition(":")
        name, rate = _told(rest)
        form = "rates" if name in (*KINDS, REQUEST) else "units"
        services.setdefault(service, {}).setdefault(form, {})[name] = rate
    return services


def _instant(text: str | None) -> Any:
    if text is None:
        return timezone.now()
    instant = parse_datetime(text)
    if instant is None or instant.tzinfo is None:
        raise CommandError("--from takes an ISO date and time with its zone, such as 2026-12-01T00:00:00Z.")
    return instant
