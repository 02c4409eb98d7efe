"""E-mail, by the installation's own mail server."""

import smtplib
from datetime import datetime

from django.core.mail import EmailMessage

from apps.alerts.channels.base import MOST_ANSWER, Outcome
from apps.alerts.models import Channel, Delivery


def may_write_to(channel: Channel) -> bool:
    """A customer's alerts go to its own people alone: nobody has strangers written to in our name."""
    if not channel.is_customers or channel.customer is None:
        return True
    return channel.customer.members.filter(user__email__iexact=channel.address, user__is_active=True).exists()


def send(delivery: Delivery, *, at: datetime) -> Outcome:
    if not may_write_to(delivery.channel):
        return Outcome(False, None, "Nobody of the customer has this address any more.", is_final=True)
    payload = delivery.payload
    subject = " ".join(f"[{delivery.organization.name}] {payload['title']}".split())
    body = "\n".join([payload["title"], "", *payload["text"], "", payload["url"], ""])
    headers = {"Auto-Submitted": "auto-generated", "X-Tollgate-Event-Id": delivery.event_key}
    try:
        EmailMessage(subject, body, to=[delivery.channel.address], headers=headers).send()
    except (OSError, smtplib.SMTPException, ValueError) as error:
        return Outcome(False, None, f"{type(error).__name__}: {error}"[:MOST_ANSWER])
    return Outcome(True)
