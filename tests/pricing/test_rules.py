"""What can be a rate card's rules, and what is said of what cannot."""

from decimal import Decimal

import pytest

from apps.pricing.rules import MOST_RULES, BadRules, Mode, clean_rules

PLUS = {"mode": "cost_plus", "markup_percent": "20"}


def test_those_that_go_first_are_in_front():
    matches = ["*", "gpt-*", "openai/*", "gpt-4o", "openai/gpt-4o", "gpt-4o*", "google/*"]
    cleaned = clean_rules([{"match": match, **PLUS} for match in matches])
    assert [rule.match for rule in cleaned] == [
        "openai/gpt-4o", "gpt-4o", "gpt-4o*", "gpt-*", "google/*", "openai/*", "*",
    ]  # fmt: skip


def test_a_rule_is_told_as_it_was_given():
    told = {"match": "GPT-5*", "mode": "absolute", "rates": {"input": "1.50", "output": 12}, "floor": "0.0010"}
    (rule,) = clean_rules([told | {"units": {"second": "0.36/3600"}, "markups": {}, "ceiling": ""}])
    assert rule.as_told() == {
        "match": "gpt-5*",
        "mode": "absolute",
        "rates": {"input": "1.5", "output": "12"},
        "units": {"second": "0.36/3600"},
        "floor": "0.001",
    }
    assert clean_rules([rule.as_told()]) == [rule]


def test_selling_at_cost_is_said():
    (rule,) = clean_rules([{"match": "*", "mode": "cost_plus", "markup_percent": "0"}])
    assert (rule.mode, rule.markup_percent) == (Mode.COST_PLUS, Decimal(0))
    assert rule.as_told()["markup_percent"] == "0"


WRONG = [  # rules, and the words in which it is said
    pytest.param([{"match": "", **PLUS}], "Rule 1: not a model", id="no model"),
    pytest.param([{"match": "*", "mode": "barter"}], "one of cost_plus, absolute, free", id="no mode"),
    pytest.param([{"match": "*", "mode": "cost_plus"}], "needs a markup_percent", id="no markup"),
    pytest.param([{"match": "*", "mode": "absolute"}], "needs a price", id="no price"),
    pytest.param([{"match": "*", **PLUS, "rates": {"input": "1"}}], "its mode is absolute", id="prices on top of cost"),
    pytest.param(
        [{"match": "*", "mode": "absolute", "per_request": "1", "markup_percent": "3"}], "cost_plus", id="and the other"
    ),
    pytest.param([{"match": "*", **PLUS, "discount": "3"}], "no field discount", id="an unknown field"),
    pytest.param([{"match": "*", "mode": "absolute", "rates": {"inptu": "1"}}], "inptu", id="an unknown kind"),
    pytest.param([{"match": "*", "mode": "absolute", "units": {"hug": "1"}}], "hug", id="an unknown piece"),
    pytest.param([{"match": "*", **PLUS, "markups": {"hug": "1"}}], "hug", id="a markup on it"),
    pytest.param([{"match": "*", "mode": "absolute", "rates": {"request": "1"}}], "per_request", id="a call's price"),
    pytest.param([{"match": "*", "mode": "absolute", "rates": {"input": "-1"}}], "-1", id="a negative price"),
    pytest.param([{"match": "*", "mode": "absolute", "rates": {"input": "1e-9"}}], "1e-12", id="too small"),
    pytest.param([{"match": "*", "mode": "absolute", "rates": {"input": 1.5}}], "as text", id="a float"),
    pytest.param([{"match": "*", "mode": "absolute", "rates": {"input": "NaN"}}], "not a number", id="no number"),
    pytest.param([{"match": "*", "mode": "absolute", "rates": ["1"]}], "are an object", id="a list of prices"),
    pytest.param([{"match": "*", "mode": "cost_plus", "markup_percent": "-101"}], "from -100", id="less than nothing"),
    pytest.param([{"match": "*", "mode": "cost_plus", "markup_percent": "1.00001"}], "decimal places", id="too fine"),
    pytest.param([{"match": "*", **PLUS, "floor": "2", "ceiling": "1"}], "floor is above", id="floor over ceiling"),
    pytest.param([{"match": "*", "mode": "free", "floor": "1"}], "free has no fee", id="free for a dollar"),
    pytest.param([{"match": "gpt-*", **PLUS}, {"match": "GPT-*", **PLUS}], "two rules for gpt-", id="twice"),
    pytest.param([{"match": "gpt-*", **PLUS}, {"match": "*mini", **PLUS}], "can mean the same model", id="ambiguous"),
    pytest.param([{"match": f"m{n}", **PLUS} for n in range(MOST_RULES + 1)], "at most 500", id="too many"),
]


@pytest.mark.parametrize(("rules", "said"), WRONG)
def test_what_cannot_be_a_rule_is_named(rules, said):
    with pytest.raises(BadRules) as caught:
        clean_rules(rules)
    assert said in str(caught.value)
