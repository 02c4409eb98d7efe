"""Who may do what to billing by API: for each operation of the document, by its scope and by whose token it is."""

import json
import re
from collections.abc import Iterator
from uuid import uuid4

import pytest

from apps.api.v1.document import document
from apps.keys.api_scopes import OF_CUSTOMERS, ApiScope
from tests.api.v1.conftest import Program
from tests.cast import Cast, an_api_token

WRITING = (ApiScope.BILLING_WRITE, ApiScope.PRICES_WRITE)
OF_OPERATORS = "and a token of the organization"
CUSTOMERS_MAY = {  # what an admin of a customer may in the portal
    "update_wallet",
    "redeem_voucher",
    "set_auto_top_up",
    "buy_credit",
    "pay_invoice",
    "cancel_payment",
    "ask_about_payment",
    "start_payment_method",
    "read_payment_methods",
    "remove_payment_method",
    "set_default_payment_method",
    "update_billing_details",
}
HIDDEN = {  # what a customer doesn't even read
    "get_billing_settings", "list_tax_rates", "list_exchange_rates", "list_vouchers", "list_coupons",
    "list_customer_coupons", "simulate_plans", "list_mailings", "list_payment_events", "get_payment_provider",
}  # fmt: skip


def operations() -> Iterator[tuple[str, str, str, str, bool]]:
    """Name, scope, method, path with ids that nothing has, and whether it is for operators alone."""
    for path, methods in json.loads(document("json")[0])["paths"].items():
        for method, told in methods.items():
            if method not in ("get", "post", "put", "patch", "delete"):
                continue
            [[scope]] = [next(iter(requirement.values())) for requirement in told["security"]]
            named = re.sub(r"\{number\}", "1", path.removeprefix("/api/v1/"))
            url = re.sub(r"\{\w+\}", lambda _: str(uuid4()), named)
            yield told["operationId"], scope, method.upper(), url, OF_OPERATORS in told["description"]


def asked(plain: str, method: str, url: str) -> int:
    return Program(plain)(method, url, {}, headers={"idempotency-key": "1"}).status_code


def test_customers_may_what_their_admins_may_in_the_portal_and_no_more():
    writing = {name: is_operators for name, scope, _, _, is_operators in operations() if scope in WRITING}
    assert {name for name, is_operators in writing.items() if not is_operators} == CUSTOMERS_MAY
    assert len(writing) > 60
    reading = {name for name, scope, *_, is_operators in operations() if scope == "billing:read" and is_operators}
    assert reading == HIDDEN
    assert ApiScope.PRICES_WRITE not in OF_CUSTOMERS


def test_without_the_scope_nothing_is_done(cast: Cast):
    for scope in WRITING:
        others = [each for each in ApiScope if each != scope]
        operators = an_api_token(cast.acme, scopes=others)[1]
        customers = an_api_token(cast.acme, cast.globex, scopes=[each for each in others if each in OF_CUSTOMERS])[1]
        for name, needed, method, url, _is_operators in operations():
            if needed == scope:
                assert asked(operators, method, url) == 403, name
                assert asked(customers, method, url) == 403, name


@pytest.mark.usefixtures("at_noon")
def test_with_it_operators_may_all_and_customers_theirs(cast: Cast):
    operators, customers = an_api_token(cast.acme)[1], an_api_token(cast.acme, cast.globex)[1]
    for name, scope, method, url, is_operators in operations():
        if scope in WRITING or name in HIDDEN:
            assert asked(operators, method, url) not in (401, 403), name
            assert (asked(customers, method, url) == 403) is (is_operators or scope == "prices:write"), name
