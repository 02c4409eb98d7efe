"""Which rule a call is sold by: by layer, by name, by time."""

import pytest

from apps.pricing.rules import clean_rules
from apps.pricing.terms import Era, RuleSet, Terms

MATCHES = ["*", "openai/*", "gpt-*", "gpt-4o*", "gpt-4o", "openai/gpt-4o", "fast", "fa*", "openai/gpt-4o-mini"]


def rule_set(*matches: str, first_id: int = 0) -> RuleSet:
    """Rules that are numbered from first_id on, in the order of their matches."""
    told = [{"match": match, "mode": "free"} for match in matches]
    numbers = {match: first_id + number for number, match in enumerate(matches)}
    return RuleSet(rule.rule(numbers[rule.match]) for rule in clean_rules(told))


FOUND = [  # provider, model, sold as; which of MATCHES
    ("openai", "gpt-4o", None, "openai/gpt-4o"),
    ("azure", "gpt-4o", None, "gpt-4o"),
    ("openai", "GPT-4o-Mini", None, "openai/gpt-4o-mini"),
    ("azure", "gpt-4o-mini", None, "gpt-4o*"),
    ("openai", "gpt-5", None, "gpt-*"),
    ("openai", "o3", None, "openai/*"),
    ("google", "models/gemini-3", None, "*"),
    ("google", "models/gpt-4o", None, "gpt-4o"),
    ("openai", "gpt-4o", "fast", "fast"),
    ("openai", "gpt-4o", "Faster", "openai/gpt-4o"),  # one model goes before several, whatever it is called
    ("openai", "gpt-5", "faster", "fa*"),  # of two that name several, its own name
    ("openai", "", None, "openai/*"),
]


@pytest.mark.parametrize(("provider", "model", "sold_as", "match"), FOUND)
def test_the_narrowest_rule_is_taken(provider, model, sold_as, match):
    terms = Terms([Era(0, [rule_set(*MATCHES)])])
    for _ in range(2):  # the second time from memory
        assert terms.sale(provider, model, sold_as, 1).id == MATCHES.index(match)


def test_a_layer_that_says_anything_goes_before_the_next():
    terms = Terms([Era(0, [rule_set("gpt-*"), rule_set("gpt-4o", "*", first_id=10)])])
    assert [terms.sale("openai", model, None, 1).id for model in ("gpt-4o", "o3")] == [0, 11]


def test_without_a_rule_there_is_none():
    assert Terms([Era(0, [rule_set("gpt-*")])]).sale("openai", "o3", None, 1) is None
    assert Terms([Era(0, [])]).sale("openai", "o3", None, 1) is None


def test_each_time_has_its_own():
    terms = Terms([Era(100, [rule_set("*", first_id=1)]), Era(200, [rule_set("*", first_id=2)]), Era(300, [])])
    sold = [terms.sale("openai", "o3", None, moment) for moment in (99.999, 100, 199.999, 200, 300)]
    assert [sale and sale.id for sale in sold] == [None, 1, 1, 2, None]


def test_names_that_clients_make_up_fill_no_memory():
    era = Era(0, [rule_set("*")])
    for number in range(2500):
        era.sale("openai", f"made-up-{number}", None)
    assert len(era._known) <= 1000
