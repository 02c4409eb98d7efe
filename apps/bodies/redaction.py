"""What is taken out of bodies before they are written anywhere: in the strings of JSON, in events, in text. Pure.

A stream's text comes in pieces, a token each: the pieces that belong together are joined for the search, and
what is found is taken out of each of them. A pattern never holds the interpreter for long: the text is searched
in windows, and a body that takes longer than MOST_S altogether is given up.
"""

import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from apps.bodies.events import Channels, encode, read_array, read_events
from apps.bodies.patterns import MOST_WIDTH, compiled

WINDOW = 1024
MOST_S = 1.0
OWN = "[redacted]"

# A string of JSON, whole or cut off by the end; or a number that could be one of a card.
_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)|(?<![\w.])\d{12,19}(?![\w.])', re.DOTALL)
_CUT_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{0,3})?\Z")


class TooSlow(Exception):
    """A body that takes too long. It is not kept."""


class Rule(NamedTuple):
    """Something to take out. hint: without it in the text there is no match. is_word: it begins one."""

    pattern: re.Pattern[str]
    label: str
    hint: str = ""
    is_word: bool = False
    is_meant: Callable[[str], bool] | None = None


def passes_luhn(text: str) -> bool:
    """Whether the digits in it are a number as cards have them."""
    digits = [int(char) for char in text if char.isascii() and char.isdigit()]
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
    return 13 <= len(digits) <= 19 and (sum(digits[::-2]) + sum(doubled)) % 10 == 0


# Each begins with what the search can skip to: a word's edge before it is looked at afterwards.
READY_MADE = {
    "emails": (
        Rule(
            re.compile(r"[\w.%+'-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,4}"), "[e-mail address]", hint="@"
        ),
    ),
    "cards": (Rule(re.compile(r"\d(?:[ -]?\d){12,18}\b"), "[card number]", is_word=True, is_meant=passes_luhn),),
    "keys": (
        Rule(
            re.compile(
                r"(?:sk|pk|rk|tg|gsk|xai|hf|ghp|gho|ghs|ghu|github_pat|glpat|xoxa|xoxb|xoxp|xoxr|xoxs|whsec|AIza|AKIA"
                r"|ASIA|ya29|eyJ)[A-Za-z0-9._+/=-]{0,4}[A-Za-z0-9_=./+-]{14,900}"
            ),
            "[key]",
            is_word=True,
        ),
        Rule(re.compile(r"[Bb]earer [A-Za-z0-9._~+/=-]{16,900}"), "[key]", hint="earer "),
        Rule(
            re.compile(r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[A-Za-z0-9+/=\s]{0,960}"), "[key]", hint="-----BEGIN "
        ),
    ),
}


class Redactor:
    """Takes out what the ready-made rules and an operator's own patterns match."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = tuple(rules)
        self._until = 0.0

    def __repr__(self) -> str:
        return f"<Redactor of {len(self._rules)} rules>"

    def redact(self, text: str, *, is_events: bool, is_json: bool) -> str:
        """The body without what is to be taken out. Raises TooSlow. Of one thread at a time.

        is_events: a stream of server-sent events. is_json: JSON, maybe cut off.
        """
        if not self._rules:
            return text
        self._until = time.thread_time() + MOST_S
        if is_events:
            events = read_events(text)
            changed = self._redact_values(event.value for event in events)
            return "".join(
                event.written() if number in changed else event.raw if event.value else self._redact_json(event.raw)
                for number, event in enumerate(events)
            )
        if not is_json:
            return self.plain(text)
        if (items := read_array(text)) is not None:  # Gemini's way to stream
            return encode(items) if self._redact_values(items) else text
        return self._redact_json(text)

    def plain(self, text: str) -> str:
        """Text without what is to be taken out."""
        spans = self._spans(text)
        return _without(text, spans) if spans else text

    def _redact_values(self, values: Iterable[Any]) -> set[int]:
        """Redact the texts of these values. Returns the numbers of those that are changed."""
        changed: set[int] = set()
        for pieces in Channels(values):
            texts = pieces.texts()
            if all(text == texts[0] for text in texts):  # a name that every event repeats, or the only piece
                changed |= pieces.put([self.plain(texts[0])] * len(texts))
            elif spans := self._spans("".join(texts)):
                changed |= pieces.put(_without_in_pieces(texts, spans))
        return changed

    def _redact_json(self, text: str) -> str:
        return _TOKEN.sub(lambda token: self._redact_token(token[0]), text)

    def _redact_token(self, token: str) -> str:
        if not token.startswith('"'):
            redacted = self.plain(token)
            return token if redacted == token else json.dumps(redacted)
        is_cut = len(token) < 2 or not token.endswith('"')
        if "\\" not in token:
            said = token[1:] if is_cut else token[1:-1]
        else:
            try:
                said = json.loads(_CUT_ESCAPE.sub("", token) + '"' if is_cut else token, strict=False)
            except ValueError:  # a quote where a string ended before: read as it stands
                return self.plain(token)
        redacted = self.plain(said)
        if redacted == said:
            return token
        written = json.dumps(redacted, ensure_ascii=False)
        return written[:-1] if is_cut else written

    def _spans(self, text: str) -> list[tuple[int, int, str]]:
        """What is to be taken out: from, up to, not including, and what stands there instead; none touch."""
        found: list[tuple[int, int, str]] = []
        for rule in self._rules:
            if rule.hint in text:
                found += ((*span, rule.label) for span in self._matches(rule.pattern, text) if _is_it(rule, text, span))
        return _merged(found) if len(found) > 1 else found

    def _matches(self, pattern: re.Pattern[str], text: str) -> Iterator[tuple[int, int]]:
        """All matches, searched a window at a time; a match may end in the next one."""
        place, size = 0, len(text)
        while place < size:
            if time.thread_time() > self._until:
                raise TooSlow
            end = place + WINDOW
            match = pattern.search(text, place, end + MOST_WIDTH + 1)
            if match is None or match.start() >= end:
                place = end
                continue
            yield match.span()
            place = max(match.end(), place + 1)


@lru_cache(maxsize=1000)
def redactor(ready_made: tuple[str, ...], patterns: tuple[str, ...]) -> Redactor:
    """The redactor of these rules, the same for all who have them. Raises BadPattern."""
    known = (rule for name in ready_made for rule in READY_MADE[name])
    return Redactor([*known, *(Rule(compiled(one), OWN) for one in patterns)])


def _is_it(rule: Rule, text: str, span: tuple[int, int]) -> bool:
    """Whether what matches is what is meant."""
    start, end = span
    if rule.is_word and start and (text[start - 1].isalnum() or text[start - 1] == "_"):
        return False
    return rule.is_meant is None or rule.is_meant(text[start:end])


def _merged(spans: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    spans.sort()
    merged = [spans[0]]
    for start, end, label in spans[1:]:
        last_start, last_end, last_label = merged[-1]
        if start < last_end:
            merged[-1] = (last_start, max(end, last_end), last_label)
        else:
            merged.append((start, end, label))
    return merged


def _without(text: str, spans: list[tuple[int, int, str]]) -> str:
    made: list[str] = []
    place = 0
    for start, end, label in spans:
        made += (text[place:start], label)
        place = end
    return "".join((*made, text[place:]))


def _without_in_pieces(texts: list[str], spans: list[tuple[int, int, str]]) -> list[str]:
    """The pieces of a text without the spans of it; what stands there instead is in the piece that begins one."""
    made: list[str] = []
    begin = 0
    for text in texts:
        end = begin + len(text)
        own = [
            (max(start, begin) - begin, min(stop, end) - begin, label if start >= begin else "")
            for start, stop, label in spans
            if start < end and stop > begin
        ]
        made.append(_without(text, own) if own else text)
        begin = end
    return made
