"""The checker finds every fault that is planted in good records; else its silence would prove nothing."""

from dataclasses import replace
from decimal import Decimal

import pytest

from tests.faults.checker import REFUSED, SERVED, UNFINISHED, ClientCall, ProviderCall, Record, check

RATES = {"input": "2", "output": "8", "cache_read": "0.5"}
USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 40,
    "prompt_tokens_details": {"cached_tokens": 20},
    "completion_tokens_details": {"reasoning_tokens": 10},
}
CLIENTS = [ClientCall(f"nonce-{i}", "globex", saw_end=True, status=200) for i in range(3)]
PROVIDER = [ProviderCall(f"nonce-{i}", "openai", USAGE, is_complete=True) for i in range(3)]
TOKENS = {"input": 80, "cache_read": 20, "output": 30, "reasoning": 10}
COST = Decimal("0.000490000000")  # 80 x 2 + 20 x 0.5 + 40 x 8, a million
RECORDS = [Record(f"nonce-{i}", "globex", SERVED, TOKENS, COST, Decimal("0.000539000000")) for i in range(3)]


def found(clients=CLIENTS, provider=PROVIDER, records=RECORDS) -> list[tuple[str, str]]:
    violations = check(clients, provider, records, rates=RATES, markup=10)
    return [(violation.rule, violation.nonce) for violation in violations]


def changed(records, **fields):
    """The records with the last of them changed."""
    return [*records[:-1], replace(records[-1], **fields)]


def test_records_that_agree_are_fine():
    assert found() == []


PLANTED = [  # clients, provider, records, what is found
    pytest.param(CLIENTS, PROVIDER, RECORDS[:2], ["C1", "C2"], id="dropped"),
    pytest.param(CLIENTS, PROVIDER, [*RECORDS, RECORDS[2]], ["C1", "C2"], id="doubled"),
    pytest.param(CLIENTS, PROVIDER, changed(RECORDS, cost=COST * 2), ["C4"], id="wrong cost"),
    pytest.param(CLIENTS, PROVIDER, changed(RECORDS, price=COST), ["C4"], id="wrong price"),
    pytest.param(CLIENTS, PROVIDER, changed(RECORDS, cost=None), ["C4"], id="no cost"),
    pytest.param(CLIENTS, PROVIDER, changed(RECORDS, price=Decimal("0.000539000001")), ["C4"], id="last digit"),
    pytest.param(CLIENTS, PROVIDER, changed(RECORDS, tokens={"input": 100, "output": 40}), ["C4"], id="kinds"),
    pytest.param(CLIENTS, PROVIDER, changed(RECORDS, customer="shady"), ["C8"], id="wrong tenant"),
    pytest.param(CLIENTS, PROVIDER, changed(RECORDS, result=UNFINISHED), ["C2"], id="not final"),
    pytest.param(CLIENTS, PROVIDER[:2], RECORDS, ["C3"], id="never answered"),
    pytest.param(CLIENTS, changed(PROVIDER, is_complete=False), RECORDS, ["C3"], id="not to the end"),
]


@pytest.mark.parametrize(("clients", "provider", "records", "rules"), PLANTED)
def test_a_planted_fault_is_found(clients, provider, records, rules):
    assert found(clients, provider, records) == [(rule, "nonce-2") for rule in rules]


def test_a_call_that_nobody_saw_the_end_of_may_be_unfinished():
    clients = changed(CLIENTS, saw_end=False)
    provider = changed(PROVIDER, is_complete=False)
    assert found(clients, provider, changed(RECORDS, result=UNFINISHED, cost=None)) == []
    assert found(clients, provider, RECORDS[:2]) == []  # died before it was let in


def test_a_refusal_needs_a_record_but_no_provider():
    clients = changed(CLIENTS, status=429)
    assert found(clients, PROVIDER[:2], changed(RECORDS, result=REFUSED, tokens={}, cost=Decimal(0))) == []
    assert found(clients, PROVIDER[:2], RECORDS[:2]) == [("C2", "nonce-2")]
