"""The regular expressions that an operator gives for what is taken out of bodies: which are let in. Pure.

They run in the proxy's own process, over whatever strangers send, so none may take long on anything. What has
no end gets one (`+` means up to MOST_REPEATS), and from the pattern's tree it is worked out how much trying
back and forth one place of the text can cost at worst: what could cost more than MOST_WORK is refused.
"""

import re
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

LONGEST_PATTERN = 200
MOST_PATTERNS = 20
MOST_REPEATS = 128
MOST_WIDTH = 1024  # characters of a match: a body is searched in windows that overlap by as many
MOST_WORK = 20_000  # steps from one place of the text

TOO_MUCH = MOST_WORK + 1
OTHERS = 128  # stands for all characters beyond ASCII
ALL = frozenset(range(OTHERS + 1))
WORD = frozenset(code for code in range(128) if chr(code).isalnum() or chr(code) == "_") | {OTHERS}
DIGIT = frozenset(range(48, 58)) | {OTHERS}
SPACE = frozenset((9, 10, 11, 12, 13, 28, 29, 30, 31, 32, OTHERS))
CATEGORIES = {
    op.CATEGORY_DIGIT: DIGIT,
    op.CATEGORY_SPACE: SPACE,
    op.CATEGORY_WORD: WORD,
    op.CATEGORY_NOT_DIGIT: (ALL - DIGIT) | {OTHERS},
    op.CATEGORY_NOT_SPACE: (ALL - SPACE) | {OTHERS},
    op.CATEGORY_NOT_WORD: (ALL - WORD) | {OTHERS},
}
ENDLESS = re.compile(r"\{(\d*),\}")
REPEATS = (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT)
Chars = frozenset[int]
Items = list[tuple[Any, Any]]


class BadPattern(Exception):
    """Not a pattern that is let in; the text says why, and what to do."""


def compiled(pattern: str) -> re.Pattern[str]:
    """The pattern, ready to use. Raises BadPattern."""
    if not pattern or len(pattern) > LONGEST_PATTERN:
        raise BadPattern(f"A pattern has 1 to {LONGEST_PATTERN} characters.")
    if re.search(r"(?<!\\)(?:\\\\)*\(\?(?!:)", pattern):
        raise BadPattern("Of what begins with (? only (?: is known here: no flags, no looking ahead or back.")
    try:
        ready = re.compile(bounded(pattern))
        tree = list(parser.parse(bounded(pattern)))
    except (re.error, OverflowError, RecursionError) as error:
        raise BadPattern(f"Not a regular expression: {error}") from None
    least, most = parser.parse(bounded(pattern)).getwidth()
    if least == 0:
        raise BadPattern("It matches nothing at all as well, and so everywhere.")
    if most > MOST_WIDTH:
        raise BadPattern(f"It could match {most:,} characters at once: give repeats an end, such as {{1,40}}.")
    if _ways(tree, frozenset()) * most > MOST_WORK:
        raise BadPattern("It could take too long: give repeats an end, and let what follows one differ from it.")
    return ready


def bounded(pattern: str) -> str:
    """The pattern with an end to each repeat that has none."""
    made: list[str] = []
    place, is_in_class, class_began, is_repeat = 0, False, 0, False
    while place < len(pattern):
        char = pattern[place]
        token = pattern[place : place + 2] if char == "\\" else char
        was_repeat, is_repeat = is_repeat, False
        if is_in_class:
            is_in_class = char != "]" or place == class_began
        elif char == "[":
            is_in_class = True
            class_began = place + (2 if pattern[place + 1 : place + 2] == "^" else 1)
        elif char in "*+" and not was_repeat:
            made.append(f"{{{int(char == '+')},{MOST_REPEATS}}}")
            place, is_repeat = place + 1, True
            continue
        elif endless := ENDLESS.match(pattern, place):
            least = int(endless[1] or 0)
            made.append(f"{{{least},{max(least, MOST_REPEATS)}}}")
            place, is_repeat = endless.end(), True
            continue
        elif char == "}":
            is_repeat = True
        made.append(token)
        place += len(token)
    return "".join(made)


def _ways(items: Items, follow: Chars) -> int:
    """In how many ways the items can match at one place, at most: each may have to be tried.

    follow: what can come after them; nothing: the match is done there, and nothing is tried again.
    """
    ways = 1
    for place, (code, argument) in enumerate(items):
        first, is_empty = _first(items[place + 1 :])
        after = first | follow if is_empty else first
        ways = min(ways * _ways_of(code, argument, after), TOO_MUCH)
    return ways


def _ways_of(code: Any, argument: Any, after: Chars) -> int:
    if code is op.SUBPATTERN:
        return _ways(list(argument[-1]), after)
    if code is op.ATOMIC_GROUP:
        return _ways(list(argument), after)
    if code is op.BRANCH:
        branches = [list(branch) for branch in argument[1]]
        each = [_ways(branch, after) for branch in branches]
        firsts = [_first(branch) for branch in branches]
        sizes = sum(len(first) for first, _ in firsts)
        are_apart = sizes == len(frozenset().union(*(first for first, _ in firsts)))
        return max(each) if are_apart and not any(is_empty for _, is_empty in firsts) else min(sum(each), TOO_MUCH)
    if code in REPEATS:
        least, most, repeated = argument
        return _ways_of_repeat(least, most, list(repeated), after)
    if code in (op.LITERAL, op.NOT_LITERAL, op.IN, op.ANY, op.AT, op.CATEGORY):
        return 1
    return TOO_MUCH  # references to groups, looking around


def _ways_of_repeat(least: int, most: int, items: Items, after: Chars) -> int:
    first, is_empty = _first(items)
    if is_empty and most > 1:
        return TOO_MUCH
    within = _ways(items, first | after)
    ends = 1 if not first & after else most - least + 1
    for _ in range(most if within > 1 else 0):
        ends = min(ends * within, TOO_MUCH)
    return ends


def _first(items: Items) -> tuple[Chars, bool]:
    """With which characters the items can begin, and whether they can be empty."""
    found: Chars = frozenset()
    for code, argument in items:
        first, is_empty = _first_of(code, argument)
        found |= first
        if not is_empty:
            return found, False
    return found, True


def _first_of(code: Any, argument: Any) -> tuple[Chars, bool]:
    if code is op.LITERAL:
        return frozenset((min(argument, OTHERS),)), False
    if code is op.NOT_LITERAL:
        return ALL - ({argument} if argument < OTHERS else set()), False
    if code is op.IN:
        return _class(argument), False
    if code is op.AT:
        return frozenset(), True
    if code is op.SUBPATTERN:
        return _first(list(argument[-1]))
    if code is op.BRANCH:
        several = [_first(list(branch)) for branch in argument[1]]
        return frozenset().union(*(first for first, _ in several)), any(is_empty for _, is_empty in several)
    if code in REPEATS:
        first, is_empty = _first(list(argument[2]))
        return first, is_empty or argument[0] == 0
    return ALL, False


def _class(listed: Items) -> Chars:
    chars: Chars = frozenset()
    for code, argument in listed:
        if code is op.LITERAL:
            chars |= {min(argument, OTHERS)}
        elif code is op.RANGE:
            low, high = argument
            chars |= frozenset(range(min(low, OTHERS), min(high, OTHERS) + 1))
        elif code is op.CATEGORY:
            chars |= CATEGORIES.get(argument, ALL)
    if listed and listed[0][0] is op.NEGATE:
        return (ALL - chars) | {OTHERS}
    return chars
