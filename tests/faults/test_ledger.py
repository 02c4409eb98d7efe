"""What a provider charged, added up by model and kind of token, is what was charged for it (E2)."""

import asyncio
import itertools
from collections import Counter

import pytest

from apps.usage.models import TOKEN_KINDS
from tests.faults.checker import TOKENS
from tests.faults.size import size
from tests.faults.verify import assert_nothing_is_lost
from tests.rig.calls import mixed
from tests.rig.client import Load
from tests.rig.desk import MODELS
from tests.rig.installation import Installation
from tests.rig.processes import listen, port_of

CALLS = size(1_000, 100_000)
AT_ONCE = 32
WIRES = {"openai": "openai", "anthropic": "anthropic", "google": "gemini"}  # of each provider


@pytest.mark.timeout(size(120, 1500))
async def test_sums_by_model_and_kind_are_the_providers_own(installation: Installation):
    tenant = installation.tenant()
    with listen() as listener, installation.shipping():
        processes = await asyncio.to_thread(installation.proxies, 2, fd=listener.fileno())
        seen = await Load(port_of(listener), itertools.islice(mixed(tenant.key), CALLS), at_once=AT_ONCE).run()
        for process in processes:
            process.stop()
    assert [one for one in seen if not one.is_served] == []
    await asyncio.to_thread(assert_nothing_is_lost, installation, tenant, seen)
    assert _charged(installation, tenant.organization) == _provided(installation, {one.nonce for one in seen})


def _charged(installation: Installation, organization: str) -> Counter[tuple[str, str]]:
    """Tokens by model and kind, of the requests."""
    sums = ", ".join(f"sum({kind}_tokens) AS {kind}" for kind in TOKEN_KINDS)
    rows = installation.rows(
        f"SELECT model, {sums} FROM usage_request WHERE organization_id = %s GROUP BY model", organization
    )
    return +Counter({(row["model"], kind): int(row[kind]) for row in rows for kind in TOKEN_KINDS})


def _provided(installation: Installation, nonces: set[str]) -> Counter[tuple[str, str]]:
    """The same, of the provider's own lines."""
    models = {wire: MODELS[provider] for provider, wire in WIRES.items()}
    found: Counter[tuple[str, str]] = Counter()
    for line in installation.provider_calls():
        if line["nonce"] in nonces:
            for kind, count in TOKENS[line["wire"]].items():
                found[models[line["wire"]], kind] += count(line["usage"])
    return +found
