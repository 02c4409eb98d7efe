"""Responses and conversations that the provider keeps are in reach of the customer who made them, and of no other."""

import time
from decimal import Decimal
from typing import Any

import openai
import pytest

from tests.rig.desk import MODELS
from tests.rig.installation import Installation, Tenant
from tests.wire.conftest import Proxied

MODEL = MODELS["openai"]


def client(proxied: Proxied, tenant: Tenant) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{proxied.url}/v1", api_key=tenant.key, max_retries=0)


@pytest.fixture(scope="module")
def neighbour(proxied: Proxied, installation: Installation) -> Tenant:
    return Tenant(**installation.desk("add_neighbour", customer=proxied.tenant.customer))


@pytest.fixture(scope="module")
def to(proxied: Proxied) -> openai.OpenAI:
    return client(proxied, proxied.tenant)


@pytest.fixture(scope="module")
def stranger(proxied: Proxied, neighbour: Tenant) -> openai.OpenAI:
    return client(proxied, neighbour)


def streamed(to: openai.OpenAI, **more: Any) -> Any:
    return list(to.responses.create(model=MODEL, input="Hello.", stream=True, **more))[-1].response


def test_a_response_is_gone_on_from_read_and_deleted_by_its_maker(to):
    for first in (to.responses.create(model=MODEL, input="Hello."), streamed(to)):
        second = to.responses.create(model=MODEL, input="And?", previous_response_id=first.id)
        assert second.previous_response_id == first.id
        assert to.responses.retrieve(first.id).output_text == first.output_text
        assert list(to.responses.input_items.list(first.id)) == []
        with pytest.raises(openai.BadRequestError, match="Cannot cancel"):  # the provider's own word
            to.responses.cancel(first.id)
        to.responses.delete(first.id)
        with pytest.raises(openai.NotFoundError):
            to.responses.retrieve(first.id)


def test_another_customer_of_the_operator_is_told_that_there_is_none(installation, to, stranger):
    response, conversation = to.responses.create(model=MODEL, input="Hello."), to.conversations.create()
    began = time.monotonic()
    for call in (
        lambda: stranger.responses.retrieve(response.id),
        lambda: stranger.responses.retrieve("resp_" + "0" * 40),
        lambda: stranger.responses.input_items.list(response.id),
        lambda: stranger.responses.cancel(response.id),
        lambda: stranger.responses.delete(response.id),
        lambda: stranger.conversations.retrieve(conversation.id),
        lambda: stranger.conversations.update(conversation.id, metadata={}),
        lambda: stranger.conversations.items.list(conversation.id),
        lambda: stranger.conversations.delete(conversation.id),
    ):
        with pytest.raises(openai.NotFoundError, match="of this account"):
            call()
    with pytest.raises(openai.BadRequestError) as caught:
        stranger.responses.create(model=MODEL, input="And?", previous_response_id=response.id)
    assert (caught.value.code, caught.value.param) == ("previous_response_not_found", "previous_response_id")
    for named in (conversation.id, {"id": conversation.id}, {}):
        with pytest.raises(openai.BadRequestError) as caught:
            stranger.responses.create(model=MODEL, input="And?", conversation=named)
        assert caught.value.param == "conversation"
    with pytest.raises(openai.BadRequestError):
        stranger.post(
            "/responses/input_tokens", cast_to=object, body={"model": MODEL, "previous_response_id": response.id}
        )
    assert installation.provider_calls(since=began) == []
    assert to.responses.retrieve(response.id).id == response.id


def test_a_conversation_is_its_makers(to):
    made = to.conversations.create(metadata={"a": "b"})
    assert to.conversations.retrieve(made.id).metadata == {"a": "b"}
    assert to.responses.create(model=MODEL, input="Hello.", conversation=made.id).output_text
    assert streamed(to, conversation={"id": made.id}).output_text
    assert to.conversations.delete(made.id).deleted


def test_of_another_provider_the_same_id_is_another_thing(proxied, to):
    made = to.responses.create(model=MODEL, input="Hello.")
    with pytest.raises((openai.NotFoundError, openai.PermissionDeniedError)):
        client(proxied, proxied.tenant).with_options(base_url=f"{proxied.url}/p/groq").responses.retrieve(made.id)


def test_what_is_read_again_is_not_charged_again(proxied, to, installation):
    made = to.responses.create(model=MODEL, input="Hello.", user="reader")
    to.responses.retrieve(made.id)
    assert installation.desk("roll_up") == []
    rows = installation.rows(
        "SELECT status, cost, input_tokens, output_tokens FROM usage_request WHERE customer_id = %s"
        " ORDER BY started_at DESC LIMIT 2",
        proxied.tenant.customer,
    )
    assert rows[0] == {"status": 200, "cost": Decimal(0), "input_tokens": 0, "output_tokens": 0}
    assert (rows[1]["input_tokens"], rows[1]["output_tokens"]) == (made.usage.input_tokens, made.usage.output_tokens)


# Files, items and stores that a body names


def put_in(to: openai.OpenAI) -> str:
    return to.files.create(file=("notes.txt", b"Some words."), purpose="user_data").id


def about(file_id: str) -> Any:
    return [{"role": "user", "content": [{"type": "input_file", "file_id": file_id}]}]


def test_a_file_is_named_read_and_deleted_by_who_put_it_in(installation, to, stranger):
    file_id = put_in(to)
    assert to.responses.create(model=MODEL, input=about(file_id)).output_text
    part: Any = {"type": "file", "file": {"file_id": file_id}}
    assert to.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": [part]}]).choices
    assert to.files.retrieve(file_id).id == file_id
    began = time.monotonic()
    for call in (
        lambda: stranger.responses.create(model=MODEL, input=about(file_id)),
        lambda: stranger.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": [part]}]),
        lambda: stranger.files.retrieve(file_id),
        lambda: stranger.files.content(file_id),
        lambda: stranger.files.delete(file_id),
    ):
        with pytest.raises(openai.NotFoundError, match="of this account"):
            call()
    assert installation.provider_calls(since=began) == []
    assert to.files.delete(file_id).deleted
    with pytest.raises(openai.PermissionDeniedError):  # all of them, whoever's they are
        to.files.list()


def test_a_store_is_its_makers(to, stranger):
    store, file_id = to.vector_stores.create(name="notes"), put_in(to)
    tool: Any = {"type": "file_search", "vector_store_ids": [store.id]}
    assert to.responses.create(model=MODEL, input="Hello.", tools=[tool]).output_text
    for call in (
        lambda: stranger.responses.create(model=MODEL, input="Hello.", tools=[tool]),
        lambda: stranger.vector_stores.files.create(store.id, file_id=file_id),
        lambda: stranger.vector_stores.create(file_ids=[file_id]),
    ):
        with pytest.raises(openai.NotFoundError, match="of this account"):
            call()


@pytest.mark.parametrize("is_streamed", [False, True])
def test_an_item_is_named_by_who_had_it_made(to, stranger, is_streamed):
    made = streamed(to) if is_streamed else to.responses.create(model=MODEL, input="Hello.")
    for reference in ({"type": "item_reference", "id": made.output[0].id}, {"id": made.output[0].id}):
        asked: Any = [reference, {"role": "user", "content": "And?"}]
        assert to.responses.create(model=MODEL, input=asked).output_text
        with pytest.raises(openai.NotFoundError) as caught:
            stranger.responses.create(model=MODEL, input=asked)
        assert caught.value.param == "item_reference"
