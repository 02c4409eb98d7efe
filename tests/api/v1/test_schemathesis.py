"""The whole document, tried by schemathesis against a server: whatever is sent, answers are as they are told.

By the operator's token, by a customer's, and by nobody's. Its pytest plugin is off: the program itself is run.
TOLLGATE_FAULTS=long goes to every bound of every parameter too, and tries far more, with another seed each time.
"""

import json
import os
import random
import subprocess
import sys
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.utils import timezone

from apps.api.v1.document import document
from apps.limits.services import set_end_user_limits
from tests.cast import Cast, a_model_alias, a_proxy_key, an_api_token
from tests.isolation.billing_objects import of_billing
from tests.used import a_property_hour, a_request, an_hour

IS_LONG = os.environ.get("TOLLGATE_FAULTS") == "long"
SEED = random.randrange(2**32) if IS_LONG else 20260310
PHASES, MOST = ("examples,coverage,fuzzing,stateful", "100") if IS_LONG else ("examples,fuzzing", "1")
CHECKS = (  # all of them but that what is valid is taken: `since` after `until` is valid, and refused
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
    "ignored_auth",
)


def run(url: str, *options: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A run of schemathesis; what it found is in what it said."""
    written = folder / "openapi.json"
    written.write_bytes(document("json")[0])
    command = [
        *(
            Path(sys.executable).parent / "schemathesis",
            "run",
            written,
            "--url",
            url,
            "--no-color",
            "--warnings",
            "off",
        ),
        *("--seed", str(SEED), "--max-examples", MOST, "--phases", PHASES, "--checks", ",".join(CHECKS)),
        *("--continue-on-failure", "--suppress-health-check", "all", "--no-shrink"),
        *("--generation-database", "none", "--request-timeout", "60", *options),
    ]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def served(live_server, cast: Cast, settings) -> tuple[str, Cast]:
    """A server with something of each kind to be found."""
    settings.API_RATE = 10**9
    now = timezone.now()
    hour = now.replace(minute=0, second=0, microsecond=0)
    key, _ = a_proxy_key(cast.globex, daily_cap=Decimal(5))
    a_model_alias(cast.acme)
    set_end_user_limits(cast.globex, "ada", by=None, requests_per_day=5)
    for customer in (cast.globex, cast.initech, cast.shady):
        told = {"session_id": "s", "properties": {"plan": "premium"}}
        a_request(customer, now - timedelta(minutes=5), proxy_key_id=key.pk, **told)
        an_hour(customer, hour, proxy_key_id=key.pk)
        a_property_hour(customer, hour, name="plan", value="premium")
        of_billing(customer)
    return live_server.url, cast


@pytest.mark.slow
@pytest.mark.timeout(7200 if IS_LONG else 300)
@pytest.mark.parametrize("who", ["operator", "customer", "nobody"])
def test_answers_are_as_the_document_tells(served, who: str, tmp_path: Path):
    url, cast = served
    customer = cast.globex if who == "customer" else None
    token = [] if who == "nobody" else ["--header", f"Authorization: Bearer {an_api_token(cast.acme, customer)[1]}"]
    done = run(url, *token, folder=tmp_path)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr
    tested = sum(len(set(methods) & {"get", "post", "put", "patch", "delete"}) for methods in paths().values())
    assert f"Tested: {tested}" in done.stdout


def paths() -> dict[str, dict[str, object]]:
    """The document's."""

    found: dict[str, dict[str, object]] = json.loads(document("json")[0])["paths"]
    return found
