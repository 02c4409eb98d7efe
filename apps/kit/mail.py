"""E-mails of our own, from templates/emails/."""

import sys
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.mail import send_mail
from django.core.mail.backends.console import EmailBackend
from django.db import transaction
from django.template.loader import render_to_string


class StderrBackend(EmailBackend):
    """Prints e-mails beside the logs, so that a command's JSON has standard output to itself."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("stream", sys.stderr)
        super().__init__(*args, **kwargs)


def is_printed() -> bool:
    """Whether e-mails go nowhere but beside the logs: no mail server is set up."""
    return bool(f"{__name__}.StderrBackend" == settings.EMAIL_BACKEND)


def mail_after_commit(template: str, *, to: str, context: Mapping[str, object]) -> None:
    """Send emails/<template>.txt, with emails/<template>_subject.txt, when the transaction at hand commits.

    A mail that cannot be sent is logged, not raised: what was committed stays committed.
    """
    subject = " ".join(render_to_string(f"emails/{template}_subject.txt", dict(context)).split())
    body = render_to_string(f"emails/{template}.txt", dict(context))

    def send() -> None:
        send_mail(subject, body, from_email=None, recipient_list=[to])

    transaction.on_commit(send, robust=True)
