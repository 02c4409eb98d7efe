"""manage.py replay_payment_events [--organization S] [--since DAY] [--all] [--event ID] [--dry-run] [--json]"""

from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from tqdm import tqdm

from apps.billing.models import PaymentEvent
from apps.billing.services.payment_events import process_event
from apps.kit.commands import Command as BaseCommand
from apps.usage.commands import add_optional_organization, day, optional_organization


class Command(BaseCommand):
    help = "Acts once more on what payment providers told: what failed or was not matched, or with --all everything."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        add_optional_organization(parser)
        parser.add_argument("--since", type=day, metavar="DAY", help="only what was told from this day of UTC on")
        parser.add_argument("--event", metavar="ID", help="only this one, as the provider calls it")
        parser.add_argument("--all", action="store_true", help="what was done before, too: it changes nothing twice")
        parser.add_argument("--dry-run", action="store_true", help="only tell how many there are")

    def run(self, **options: Any) -> dict[str, object]:
        wanted = self._wanted(options)
        answer: dict[str, object] = {"events": wanted.count()}
        if options["dry_run"]:
            return answer
        outcomes: dict[str, int] = {}
        failed: list[str] = []
        progress = tqdm(wanted.iterator(chunk_size=200), total=wanted.count(), unit=" events", disable=None)
        for event in progress:
            try:
                outcome = process_event(event, at=timezone.now(), again=True)
            except Exception as error:  # one that fails is told of, and holds up none of the others
                failed.append(f"{event.event_id}: {error}")
            else:
                outcomes[outcome.value] = outcomes.get(outcome.value, 0) + 1
        return answer | {name: outcomes.get(name, 0) for name in ("done", "ignored", "unmatched")} | {"failed": failed}

    def _wanted(self, options: dict[str, Any]) -> QuerySet[PaymentEvent]:
        events = PaymentEvent.objects.select_related("organization").order_by("received_at", "pk")
        if organization := optional_organization(options):
            events = events.filter(organization=organization)
        if options["since"]:
            begins = datetime.combine(options["since"], datetime.min.time(), UTC)
            events = events.filter(received_at__gte=begins)
        if options["event"]:
            return events.filter(event_id=options["event"])
        if options["all"]:
            return events
        return events.filter(processed_at=None) | events.filter(outcome=PaymentEvent.Outcome.UNMATCHED)
