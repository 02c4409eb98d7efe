"""The examples of docs/api.md, as they are printed there, against a server."""

import json
import os
import re
import subprocess
from decimal import Decimal
from pathlib import Path

import pytest
from django.utils import timezone

from apps.billing.services.finalizing import finalize_invoice
from apps.billing.services.invoices import LineByHand, add_one_off_invoice
from tests.billing.plans import a_plan
from tests.cast import Cast, an_api_token
from tests.used import an_hour

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "api.md").read_text()
COMMANDS = [
    command
    for block in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
    for command in re.findall(r"^curl(?:[^\n]|(?<=\\)\n)*", block, re.MULTILINE)
]


def test_they_work(live_server, cast: Cast):
    an_hour(cast.globex, timezone.now().replace(minute=0, second=0, microsecond=0))
    token = an_api_token(cast.acme)[1]
    lines, now = [LineByHand("Support", Decimal(100))], timezone.now()
    invoice = add_one_off_invoice(cast.globex, lines, key="support", by=None, at=now)
    finalize_invoice(invoice, by=None, at=now)
    objects = {"CUSTOMER": cast.globex.pk, "PLAN": a_plan(cast.acme).plan_id, "INVOICE": invoice.pk}
    env = {**os.environ, "TOLLGATE": live_server.url, "TOKEN": token, **{name: str(pk) for name, pk in objects.items()}}
    assert len(COMMANDS) >= 26
    for command in COMMANDS:
        shown = f"{command} -w '\\n%{{http_code}}'"
        done = subprocess.run(["sh", "-c", shown], env=env, capture_output=True, text=True, check=True)
        body, _, status = done.stdout.rpartition("\n")
        assert status in ("200", "201"), (command, done.stdout)
        if "exports" not in command:
            assert json.loads(body)
    assert cast.acme.customers.filter(slug="hooli", monthly_cap=500).exists()


@pytest.mark.parametrize("scope", re.findall(r"`(\w+:\w+)`", TEXT))
def test_scopes_are_ones_that_there_are(scope):
    from apps.keys.api_scopes import ApiScope

    assert ApiScope(scope)


def test_every_address_is_told_of():
    from apps.api.v1.urls import urlpatterns

    told = {re.sub(r"\{\w+\}", "{}", path) for path in re.findall(r"`/([^`?]*)", TEXT)}
    for pattern in urlpatterns[:-1]:
        path = re.sub(r"<[^>]*>", "{}", str(pattern.pattern))
        shortened = "/".join(["", path.rsplit("/", 1)[-1]]).removeprefix("/")
        assert path in told or shortened in told or path.removesuffix("/{}") in told, path
