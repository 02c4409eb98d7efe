"""What changes channels, what is subscribed to, and what is sent again. `by`: a user, or None for a command."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils.translation import gettext as _

from apps.accounts import audit
from apps.accounts.models import Organization, User
from apps.alerts.channels import slack, webhook
from apps.alerts.channels.email import may_write_to
from apps.alerts.channels.guard import NotAllowed, address_for, target_of
from apps.alerts.errors import TooMany
from apps.alerts.models import Channel, Delivery, EventSubscription
from apps.alerts.outbox import Message, put_out
from apps.alerts.owners import Owner
from apps.alerts.terms import MOST_CHANNELS, EventKind
from apps.kit.after_commit import after_commit
from apps.kit.ids import uuid7

MOST_TESTS = 10  # an hour, of one channel


@transaction.atomic
def add_channel(owner: Owner, *, kind: str, name: str, address: str, by: User | None) -> tuple[Channel, str]:
    """A new channel, and the secret to check its webhooks with ("" for the others), which is not to be had again.

    address: an e-mail address, or a URL that may be reached. Raises ValidationError, TooMany.
    """
    Organization.objects.select_for_update(no_key=True).get(pk=owner.organization.pk)
    if owner.channels.count() >= MOST_CHANNELS:
        raise TooMany(_("There are %(most)d channels already. Delete one first.") % {"most": MOST_CHANNELS})
    channel = Channel(**owner.fields, kind=kind, name=name.strip(), created_by=by)
    secret = _put_address(channel, address.strip())
    channel.full_clean()
    channel.save(force_insert=True)
    _record(channel, "alert_channel.add", by, {"name": (None, channel.name), "address": (None, channel.address)})
    return channel, secret


@transaction.atomic
def renew_secret(channel: Channel, *, by: User | None) -> str:
    """Another secret to sign a webhook with, from the next try on; the old one signs nothing any more."""
    channel = _locked(channel)
    secret = webhook.new_secret()
    channel.seal(secret)
    channel.save(update_fields=["ciphertext", "wrapped_key", "kek_id"])
    _record(channel, "alert_channel.renew_secret", by, {})
    return secret


@transaction.atomic
def pause_channel(channel: Channel, is_paused: bool, *, by: User | None) -> None:
    """Send nothing until resumed: what comes meanwhile waits, and goes out then."""
    channel = _locked(channel)
    if channel.is_paused != is_paused:
        channel.is_paused = is_paused
        channel.held_until = None
        channel.save(update_fields=["is_paused", "held_until"])
        _record(channel, "alert_channel.pause", by, {"is_paused": (not is_paused, is_paused)})
        after_commit("alerts.deliver")


@transaction.atomic
def delete_channel(channel: Channel, *, by: User | None) -> None:
    """Nothing is told there any more; what waits for it is not sent."""
    channel = _locked(channel)
    _record(channel, "alert_channel.delete", by, {"address": (channel.address, None)})
    channel.delete()


@transaction.atomic
def send_test(channel: Channel, *, at: datetime) -> None:
    """A message that says that it is a test, tried once. Raises TooMany."""
    lately = Delivery.objects.filter(
        channel=_locked(channel), kind=EventKind.TEST, created_at__gt=at - timedelta(hours=1)
    )
    if lately.count() >= MOST_TESTS:
        raise TooMany(_("That were %(most)d tests in an hour. Try again later.") % {"most": MOST_TESTS})
    message = Message(
        _("Test of “%(name)s”") % {"name": channel.name}, [_("This is a test: nothing has happened.")], {}
    )
    put_out([channel], EventKind.TEST, f"test:{uuid7()}", message, at=at)
    after_commit("alerts.deliver")  # somebody waits for it


def send_again(delivery: Delivery, *, at: datetime) -> None:
    """Try a message that was given up, or waits, now. What is on its way, or was taken, stays as it is."""
    again = Delivery.objects.filter(pk=delivery.pk, claim=None).exclude(state=Delivery.State.SENT)
    if again.update(state=Delivery.State.WAITING, attempts=0, next_at=at):
        Channel.objects.filter(pk=delivery.channel_id).update(held_until=None)
        after_commit("alerts.deliver")


@transaction.atomic
def add_subscription(
    owner: Owner, *, name: str, channel: Channel, kinds: Sequence[str], sample_percent: Decimal, by: User | None
) -> EventSubscription:
    """Tell `channel` of these kinds of `owner.subscribable`, from now on. Raises ValidationError, TooMany."""
    Organization.objects.select_for_update(no_key=True).get(pk=owner.organization.pk)
    if owner.subscriptions.count() >= MOST_CHANNELS:
        raise TooMany(_("There are %(most)d already. Delete one first.") % {"most": MOST_CHANNELS})
    if not kinds or set(kinds) - set(owner.subscribable) or not owner.channels.filter(pk=channel.pk).exists():
        raise ValidationError(_("Choose a channel, and what it is told of."))
    subscription = EventSubscription(
        **owner.fields,
        name=name.strip(),
        channel=channel,
        kinds=list(kinds),
        sample_percent=sample_percent,
        created_by=by,
    )
    subscription.full_clean()
    subscription.save(force_insert=True)
    changes: dict[str, Any] = {"kinds": (None, ", ".join(kinds)), "sample_percent": (None, sample_percent)}
    _record(subscription, "event_subscription.add", by, changes)
    return subscription


@transaction.atomic
def delete_subscription(subscription: EventSubscription, *, by: User | None) -> None:
    """Tell its channel nothing more of it."""
    _record(subscription, "event_subscription.delete", by, {"name": (subscription.name, None)})
    subscription.delete()


def _put_address(channel: Channel, address: str) -> str:
    """What is shown of the address, and what is sealed. Gives the secret that its owner is shown once."""
    if channel.kind == Channel.Kind.EMAIL:
        validate_email(address)
        channel.address = address
        if not may_write_to(channel):
            raise ValidationError({"address": _("Choose the address of one of your people.")})
        return ""
    try:
        address_for(target_of(address))
    except NotAllowed as error:
        raise ValidationError({"address": str(error)}) from None
    if channel.kind == Channel.Kind.SLACK:
        channel.address = slack.shown(address)
        channel.seal(address)
        return ""
    channel.address = address
    secret = webhook.new_secret()
    channel.seal(secret)
    return secret


def _locked(channel: Channel) -> Channel:
    rows = Channel.objects.select_for_update(of=("self",), no_key=True)
    return rows.select_related("organization", "customer").get(pk=channel.pk)


def _record(row: Channel | EventSubscription, action: str, by: User | None, changes: audit.Changes) -> None:
    customer = row.customer if row.is_customers else None
    audit.record(row.organization, action, row, actor=by, changes=changes, customer=customer)
