"""The whole document, tried by schemathesis against a server: whatever is sent, answers are as they are told.

By the operator's token, by a customer's, and by nobody's. Its pytest plugin is off: the program itself is run.
TOLLGATE_FAULTS=long tries a hundred times as much, with another seed each time.
"""

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
from tests.used import a_request, an_hour

IS_LONG = os.environ.get("TOLLGATE_FAULTS") == "long"
MOST = os.environ.get("ST_MOST") or ("300" if IS_LONG else "2")
PHASES = os.environ.get("ST_PHASES") or ("examples,coverage,fuzzing,stateful" if IS_LONG else "examples,fuzzing")
CHECKS = (
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
    seed = random.randrange(2**32) if IS_LONG else 20260310
    program = Path(sys.executable).parent / "schemathesis"
    written = folder / "openapi.json"
    written.write_bytes(document("json")[0])
    command = [
        *(program, "run", written, "--url", url, "--no-color", "--warnings", "off"),
        *("--seed", str(seed), "--max-examples", MOST, "--phases", PHASES, "--checks", ",".join(CHECKS)),
        *("--continue-on-failure", "--suppress-health-check", "all", "--no-shrink"),
        *("--generation-database", "none", "--request-timeout", "60", *options),
    ]
    return subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def served(live_server, cast: Cast, settings) -> tuple[str, Cast]:
    """A server with something of each kind to be found."""
    settings.API_RATE = 10**9
    now = timezone.now()
    key, _ = a_proxy_key(cast.globex, daily_cap=Decimal(5))
    a_model_alias(cast.acme)
    set_end_user_limits(cast.globex, "ada", by=None, requests_per_day=5)
    for customer in (cast.globex, cast.initech, cast.shady):
        a_request(customer, now - timedelta(minutes=5), proxy_key_id=key.pk, properties={"plan": "premium"})
        an_hour(customer, now.replace(minute=0, second=0, microsecond=0), proxy_key_id=key.pk)
    return live_server.url, cast


@pytest.mark.slow
@pytest.mark.timeout(7200 if IS_LONG else 300)
@pytest.mark.parametrize("who", ["operator", "customer", "nobody"])
def test_answers_are_as_the_document_tells(served, who: str, tmp_path: Path):
    url, cast = served
    customer = cast.globex if who == "customer" else None
    token = [] if who == "nobody" else ["--header", f"Authorization: Bearer {an_api_token(cast.acme, customer)[1]}"]
    done = run(url, *token, folder=tmp_path)
    Path(f"/tmp/st-{who}.txt").write_text(done.stdout + done.stderr)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr
    assert "No issues found" in done.stdout or "Test cases" in done.stdout
