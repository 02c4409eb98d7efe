"""What a page says once somebody is invited."""

from django.contrib import messages
from django.http import HttpRequest
from django.utils.translation import gettext as _

from apps.kit.mail import is_printed


def tell_invited(request: HttpRequest, email: str, link: str) -> None:
    """That a mail went out; where mails are only printed, the link itself, to be handed over in person."""
    if not is_printed():
        messages.success(request, _("An invitation went to %(email)s.") % {"email": email})
        return
    told = _("No mail server is set up here: give %(email)s this link yourself. It works once: %(link)s")
    messages.warning(request, told % {"email": email, "link": link})
