"""Stored bodies as pages show them. What is in them was written by strangers: it is text, and templates escape it."""

import json
from typing import NamedTuple

from django.utils.translation import gettext as _

from apps.accounts.models import Organization, Role
from apps.bodies.events import said_in
from apps.bodies.frame import Texts
from apps.bodies.models import State, StoredBodies
from apps.bodies.queries import policy_of

MOST_SHOWN = 100_000  # characters in a readable form; the raw form has all that is stored
STORED = (State.WHOLE, State.CUT)


class Side(NamedTuple):
    """A request's body, or an answer's."""

    title: str
    state: str  # in words
    is_stored: bool
    is_cut: bool
    is_redacted: bool
    size: int  # bytes as it came
    content_type: str
    texts: list[str]  # to read: JSON with its lines, a stream's words joined; nothing before it is opened
    is_shortened: bool
    raw: str  # what is stored, where `texts` are something else


def sides_of(row: StoredBodies, texts: Texts | None) -> list[Side]:
    """Both, as they are told of; with what is in them, once it was opened."""
    return [
        _side(
            _("Request"), row.request_state, row.request_size, row.request_type, row.request_redacted,
            texts and texts.request,
        ),
        _side(
            _("Answer"), row.response_state, row.response_size, row.response_type, row.response_redacted,
            texts and texts.response,
        ),
    ]  # fmt: skip


def may_read(role: Role, organization: Organization) -> bool:
    """Whether a member with this role may read the bodies that its organization stores."""
    return role.includes(Role(policy_of(organization).open_to))


def _side(title: str, state: int, size: int, content_type: str, is_redacted: bool, text: str | None) -> Side:
    readable = [] if text is None else _readable(text, content_type)
    shown = [one[:MOST_SHOWN] for one in readable]
    raw = "" if text is None or readable == [text] else text
    return Side(
        title,
        str(State(state).label),
        state in STORED,
        state == State.CUT,
        is_redacted,
        size,
        content_type,
        shown,
        shown != readable,
        raw,
    )


def _readable(text: str, content_type: str) -> list[str]:
    if content_type == "text/event-stream" or text.startswith(("data:", "event:")):
        return said_in(text) or [text]
    try:
        return [json.dumps(json.loads(text), indent=2, ensure_ascii=False)]
    except (ValueError, RecursionError):
        return [text]
