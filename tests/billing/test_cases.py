"""The figures of other billing systems, and ours worked by hand, to the last digit.

tests/cases/billing.json has the cases: each names where its figures come from. An adapter for each group turns a
case's inputs into a call of ours. What is not ours to answer is in ELSEWHERE or NOT_OURS, with the reason: a case
that is in neither has to run.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.billing import case_amounts, case_periods, case_tiers, case_tokens, case_wallets

CASES = json.loads((Path(__file__).parent.parent / "cases" / "billing.json").read_text(encoding="utf-8"))

ADAPTERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    **case_tiers.ADAPTERS,
    **case_tokens.ADAPTERS,
    **case_amounts.ADAPTERS,
    **case_periods.ADAPTERS,
    **case_wallets.ADAPTERS,
}

# Of what other rooms, or other parts of this one, decide; their own tests have it.
ELSEWHERE = {
    "missing-usage-2": "the proxy meters streams: tests/proxy",
    "missing-usage-tool": "the proxy meters streams: tests/proxy",
    "resv-multi-scope": "holds are taken by the limiter's script: tests/limits",
    "escrow-credit-line": "holds are taken by the limiter's script: tests/limits",
    "escrow-dispute": "holds are taken by the limiter's script: tests/limits",
    "idem-lago": "requests are counted once by the shipper: tests/usage",
    "idem-stripe-window": "requests are counted once by the shipper: tests/usage",
    "alert-up-0": "thresholds are passed by rules: tests/alerts",
    "alert-up-1": "thresholds are passed by rules: tests/alerts",
    "alert-only-recurring": "thresholds are passed by rules: tests/alerts",
    "alert-down-0": "thresholds are passed by rules: tests/alerts",
    "alert-down-1": "thresholds are passed by rules: tests/alerts",
    "alert-down-2": "thresholds are passed by rules: tests/alerts",
    "alert-down-3": "thresholds are passed by rules: tests/alerts",
    "alert-down-4": "thresholds are passed by rules: tests/alerts",
    "grant-recurring": "what was used beyond credit is paid by the next lot: tests/billing/services/test_lots.py",
    "tz-lago-change": "periods follow one another without a gap: tests/billing/invoicing",
    "num-draft": "numbers are taken by a service, under a lock",
    "state-stripe-draft-deleted": "an invoice's states are the model's",
    "state-stripe-open-void": "an invoice's states are the model's",
    "state-stripe-uncollectible-paid": "an invoice's states are the model's",
    "state-stripe-uncollectible-void": "an invoice's states are the model's",
    "state-stripe-paid-void": "an invoice's states are the model's",
    "state-stripe-void-open": "an invoice's states are the model's",
    "state-stripe-open-deleted": "an invoice's states are the model's",
    "state-lago-zero": "an invoice's states are the model's",
}
# Of rules that are others', not ours.
NOT_OURS = {
    "alloc-cap-small-fees": "rounds each line first, and loses 2.4 cents of 4.4: ours are 4 (test_totals.py)",
    "pror-kb-30day": "months of thirty days: ours have the days of the calendar",
    "pror-kb-30day-8": "months of thirty days: ours have the days of the calendar",
    "num-per-customer": "we number an organization's invoices in one row",
    "num-switch": "we number an organization's invoices in one row",
    "num-switch-back": "we number an organization's invoices in one row",
    "pct-lago-free-250": "we take no percentage of what is above a free amount",
    "prog-basic": "we bill a period once, when it is over",
    "prog-two-thresholds": "we bill a period once, when it is over",
    "prog-terminate": "we bill a period once, when it is over",
    "alloc-restricted-last": "our credit pays for all models",
    "cancel-stripe": "usage is amended, without an end to when",
    "round-om-custom": "we have no units of credit of our own: credit is money",
    "tok-image-cache": "no provider tells of cached image tokens apart: we count no such kind",
    "tok-oneapi-ceil": "rounds each request up to a unit: ours are never rounded",
}
APPLIES = [case for case in CASES if case["id"] not in ELSEWHERE | NOT_OURS]


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in APPLIES])
def test_a_case_comes_out_as_it_is_worked(case):
    assert ADAPTERS[case["group"]](case) == case["expected"]


def test_every_case_runs_or_has_a_reason_not_to():
    ids = {case["id"] for case in CASES}
    assert len(CASES) == len(ids) == 173
    assert ids >= ELSEWHERE.keys() | NOT_OURS.keys()
    assert len(APPLIES) == 132
