"""One's own models that tell no usage, with their vocabularies put in place: through the proxy to the record."""

from decimal import Decimal

import openai
import pytest

from tests.proxy.words import put_vocabulary
from tests.rig.installation import Installation, Tenant
from tests.rig.processes import listen, port_of

SAID = "Hello sandbox:no-usage sandbox:tokens=40"
ESTIMATED, COUNTED = 2, 3
RATES = {"input": "1.7", "output": "7.9"}


@pytest.fixture(scope="module")
def tenant(installation: Installation) -> Tenant:
    tenant = installation.tenant()
    base_url = f"http://127.0.0.1:{installation.sandbox_port}/v1"
    installation.desk("add_provider", customer=tenant.customer, provider="my-vllm", base_url=base_url)
    for model in ("llama-3.1", "other"):
        installation.desk(
            "set_price", organization=tenant.organization, provider="my-vllm", model=model, rates=RATES, units={}
        )
    return tenant


@pytest.fixture(scope="module")
def to(installation: Installation, tenant: Tenant, tmp_path_factory):
    folder = put_vocabulary(tmp_path_factory.mktemp("vocabularies"), "llama-3")
    env = {"TOLLGATE_TOKENIZERS": str(folder)}
    with listen() as listener:
        (process,) = installation.proxies(1, fd=listener.fileno(), env=env)
        url = f"http://127.0.0.1:{port_of(listener)}/p/my-vllm"
        yield openai.OpenAI(base_url=url, api_key=tenant.key, max_retries=0)
        process.stop()


def text_of(to: openai.OpenAI, model: str, *, is_streamed: bool) -> str:
    answer = to.chat.completions.create(
        model=model, messages=[{"role": "user", "content": SAID}], stream=is_streamed, user=f"{model}-{is_streamed}"
    )
    if not is_streamed:
        return answer.choices[0].message.content
    return "".join(chunk.choices[0].delta.content or "" for chunk in answer)


@pytest.mark.parametrize("is_streamed", [False, True])
def test_tokens_are_counted_by_the_models_vocabulary(installation: Installation, tenant, to, is_streamed):
    wrote = {model: text_of(to, model, is_streamed=is_streamed) for model in ("llama-3.1", "other")}
    assert installation.desk("roll_up") == []
    rows = {
        row["model"]: row
        for row in installation.rows(
            "SELECT * FROM usage_request WHERE customer_id = %s AND is_streamed = %s", tenant.customer, is_streamed
        )
    }
    counted, estimated = rows["llama-3.1"], rows["other"]
    assert counted["usage_source"] == COUNTED
    assert counted["output_tokens"] == len(wrote["llama-3.1"].split())
    assert counted["input_tokens"] == len(SAID.split()) + 4
    assert estimated["usage_source"] == ESTIMATED
    assert estimated["output_tokens"] == -(-len(wrote["other"].encode()) // 4)
    for row in rows.values():
        assert row["cost"] == (row["input_tokens"] * Decimal("1.7") + row["output_tokens"] * Decimal("7.9")) / 10**6
