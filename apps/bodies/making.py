"""From what a call kept to what may be written: decoded, redacted, cut, compressed, encrypted. Pure."""

from datetime import date

from apps.bodies import frame
from apps.bodies.frame import BodiesFrame, Note, Texts
from apps.bodies.kept import BINARY, CUT, EMPTY, WHOLE, Kept, Side
from apps.bodies.policy import Policy

EPOCH_DAY = date(1970, 1, 1).toordinal()


def frame_of(kept: Kept, data_key: bytes, *, key_id: bytes, wrapped_key: bytes, kek_id: str) -> BodiesFrame:
    """The frame of a call's bodies. Raises TooSlow where redacting them takes too long."""
    request, request_note = _text_of(kept.request, kept.policy)
    response, response_note = _text_of(kept.answer, kept.policy)
    return BodiesFrame(
        kept.id,
        int(kept.started_at * 1_000_000),
        kept.organization_id,
        kept.customer_id,
        kept.policy.last_day(kept.started_at).toordinal() - EPOCH_DAY,
        key_id,
        wrapped_key,
        kek_id,
        frame.seal(
            Texts(request, response),
            data_key,
            organization_id=kept.organization_id,
            customer_id=kept.customer_id,
            request_id=kept.id,
        ),
        request_note,
        response_note,
    )


def _text_of(side: Side, policy: Policy) -> tuple[str | None, Note]:
    """What of a body is stored, and what is told of it."""
    content_type = side.content_type.partition(b";")[0].decode("latin-1")[:80]
    note = Note(side.state, side.size, content_type, redactions=False)
    if side.state != WHOLE:
        return None, note
    if not side.size:
        note.state = EMPTY
        return None, note
    text = _decoded(side)
    if text is None:
        note.state = BINARY
        return None, note
    redacted = policy.redactor.redact(
        text,
        is_events=content_type == "text/event-stream" or text.startswith(("data:", "event:")),
        is_json=text.lstrip()[:1] in ("{", "["),
    )
    note.redactions = redacted != text
    if side.is_cut or len(redacted.encode()) > policy.most_bytes:
        note.state = CUT
        redacted = redacted.encode()[: policy.most_bytes].decode("utf-8", "ignore")
    return redacted, note


def _decoded(side: Side) -> str | None:
    """A body as text, as much of it as was kept; None: it is no text."""
    raw = b"".join(side.parts)
    if side.decode is not None:
        raw = side.decode(raw)[: side.most]
        if not raw:
            return None
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        if error.end < len(raw) - 3 or not (side.is_cut or side.decode):  # not a character that the end cuts in two
            return None
        text = raw.decode("utf-8", "ignore")
    return None if "\0" in text else text
