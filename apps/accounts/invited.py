"""Inviting somebody from a page, and what the page says then."""

from collections.abc import Callable

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext as _

from apps.kit.errors import Refused
from apps.kit.mail import is_printed


def invite(request: HttpRequest, email: str, send: Callable[[str], tuple[object, str]]) -> None:
    """Have `send` invite the address, and say that it did, or why not. It gives the invitation and its link."""
    try:
        _invitation, link = send(email)
    except (Refused, ValidationError) as error:
        messages.error(request, " ".join(getattr(error, "messages", [str(error)])))
    else:
        tell_invited(request, email, link)


def tell_invited(request: HttpRequest, email: str, link: str) -> None:
    """That a mail went out; where mails are only printed, the link itself, to be handed over in person."""
    if not is_printed():
        messages.success(request, _("An invitation went to %(email)s.") % {"email": email})
        return
    told = _("No mail server is set up here: give %(email)s this link yourself. It works once: %(link)s")
    messages.warning(request, told % {"email": email, "link": link})
