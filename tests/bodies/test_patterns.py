import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.bodies.patterns import LONGEST_PATTERN, BadPattern, bounded, compiled

GOOD = [
    r"\d+",
    r"ACME-\d{6}",
    r"\b\d{3}-\d{2}-\d{4}\b",
    r"\w+@\w+\.\w+",
    r"(?:\+\d{1,3}[ -]?)?\(?\d{2,4}\)?[ -]?\d{3,4}[ -]?\d{3,4}",
    r"[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}",
    r"(?:ab|cd)+x",
    r"[^\]]+]",
    "Müller|Özil",
]
BAD = [
    pytest.param(r"(a+)+b", "end", id="repeats in repeats"),
    pytest.param(r"(a|a)*b", "too long", id="two ways each time"),
    pytest.param(r"(a|ab)*c", "too long", id="nearly"),
    pytest.param(r"\d+\d+\d+X", "too long", id="repeats side by side"),
    pytest.param(r".*secret.*", "too long", id="anything"),
    pytest.param(r"(\w+\s?)+$", "end", id="words"),
    pytest.param(r"a*", "nothing", id="nothing"),
    pytest.param(r"x{1,2000}", "2,000", id="too wide"),
    pytest.param(r"(?=a)b", "(?:", id="looking ahead"),
    pytest.param(r"(?i)abc", "(?:", id="flags"),
    pytest.param(r"(\w)\1", "too long", id="a reference"),
    pytest.param(r"[", "regular expression", id="broken"),
    pytest.param("", "1 to", id="empty"),
    pytest.param("a" * (LONGEST_PATTERN + 1), "1 to", id="long"),
]
ENDS = [
    (r"a+b*", r"a{1,128}b{0,128}"),
    (r"a+?b++", r"a{1,128}?b{1,128}+"),
    (r"\+\*[+*]", r"\+\*[+*]"),
    (r"[]+]+", r"[]+]{1,128}"),
    (r"[^]*]x{3,}", r"[^]*]x{3,128}"),
    (r"x{200,}", r"x{200,200}"),
]


@pytest.mark.parametrize("pattern", GOOD)
def test_usual_patterns_are_let_in(pattern):
    assert isinstance(compiled(pattern), re.Pattern)


@pytest.mark.parametrize(("pattern", "why"), BAD)
def test_what_could_take_long_is_not(pattern, why):
    with pytest.raises(BadPattern, match=re.escape(why)):
        compiled(pattern)


@pytest.mark.parametrize(("pattern", "with_ends"), ENDS)
def test_what_has_no_end_gets_one(pattern, with_ends):
    assert bounded(pattern) == with_ends


@given(
    st.lists(
        st.sampled_from(
            ["a", "b", r"\d", r"\w", ".", "[ab]", "(?:a|b)", "(?:a|ab)", "(a+)", "+", "*", "?", "{2,5}", "X"]
        ),
        min_size=1,
        max_size=7,
    ).map("".join)
)
def test_whatever_is_let_in_is_quick_on_what_fits_it_nearly(pattern):
    try:
        ready = compiled(pattern)
    except BadPattern:
        return
    began = time.thread_time()
    for text in ("a" * 1000, "ab" * 500, "1" * 1000, "aab" * 333):
        ready.search(text)
    assert time.thread_time() - began < 5  # what is catastrophic takes years
