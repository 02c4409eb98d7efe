"""What Anthropic keeps (containers, what code leaves in them, files) is in reach of the customer whose it is only."""

import time
from typing import Any

import anthropic
import pytest

from tests.rig.desk import MODELS
from tests.rig.installation import Installation, Tenant
from tests.wire.conftest import Proxied

CODE = "code-execution-2025-08-25"
FILES = "files-api-2025-04-14"
ASKED: Any = {
    "model": MODELS["anthropic"],
    "max_tokens": 200,
    "messages": [{"role": "user", "content": "Plot it."}],
    "tools": [{"type": "code_execution_20250825", "name": "code_execution"}],
}


@pytest.fixture(scope="module")
def neighbour(proxied: Proxied, installation: Installation) -> Tenant:
    return Tenant(**installation.desk("add_neighbour", customer=proxied.tenant.customer))


def client(proxied: Proxied, tenant: Tenant) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=proxied.url, api_key=tenant.key, max_retries=0)


@pytest.fixture(scope="module")
def to(proxied: Proxied) -> anthropic.Anthropic:
    return client(proxied, proxied.tenant)


@pytest.fixture(scope="module")
def stranger(proxied: Proxied, neighbour: Tenant) -> anthropic.Anthropic:
    return client(proxied, neighbour)


def run(to: anthropic.Anthropic, *, is_streamed: bool = False, **more: Any) -> Any:
    if not is_streamed:
        return to.beta.messages.create(**ASKED, betas=[CODE, FILES], **more)
    with to.beta.messages.stream(**ASKED, betas=[CODE, FILES], **more) as stream:
        return stream.get_final_message()


def file_of(message: Any) -> str:
    (found,) = [block for block in message.content if block.type == "bash_code_execution_tool_result"]
    return found.content.content[0].file_id


@pytest.mark.parametrize("is_streamed", [False, True])
def test_a_container_is_used_again_by_whose_it_is(installation, to, stranger, is_streamed):
    first = run(to, is_streamed=is_streamed)
    container = first.container.id
    for named in (container, {"id": container}):
        assert run(to, is_streamed=is_streamed, container=named).container.id == container
        began = time.monotonic()
        with pytest.raises(anthropic.NotFoundError, match="of this account"):
            run(stranger, is_streamed=is_streamed, container=named)
        assert installation.provider_calls(since=began) == []


@pytest.mark.parametrize("is_streamed", [False, True])
def test_a_file_that_code_left_is_read_named_and_deleted_by_whose_it_is(installation, to, stranger, is_streamed):
    message = run(to, is_streamed=is_streamed)
    file_id = file_of(message)
    said = [block.model_dump(exclude_none=True) for block in message.content]
    goes_on: Any = [*ASKED["messages"], {"role": "assistant", "content": said}, {"role": "user", "content": "And?"}]
    assert to.beta.messages.create(**ASKED | {"messages": goes_on}, betas=[CODE]).content
    assert to.beta.files.retrieve_metadata(file_id).id == file_id
    assert to.beta.files.download(file_id).read() == b"\x89PNG"
    began = time.monotonic()
    for call in (
        lambda: stranger.beta.messages.create(**ASKED | {"messages": goes_on}, betas=[CODE]),
        lambda: stranger.beta.files.retrieve_metadata(file_id),
        lambda: stranger.beta.files.download(file_id),
        lambda: stranger.beta.files.delete(file_id),
    ):
        with pytest.raises(anthropic.NotFoundError, match="of this account"):
            call()
    assert installation.provider_calls(since=began) == []
    assert to.beta.files.delete(file_id).id == file_id


def test_a_file_that_was_put_in_is_its_makers(to, stranger):
    file_id = to.beta.files.upload(file=("notes.txt", b"Some words.", "text/plain")).id
    assert to.beta.files.retrieve_metadata(file_id).id == file_id
    with pytest.raises(anthropic.NotFoundError):
        stranger.beta.files.retrieve_metadata(file_id)
    with pytest.raises(anthropic.PermissionDeniedError):  # all of them, whoever's they are
        to.beta.files.list()


ACCOUNT = ["/v1/skills", "/v1/agents", "/v1/vaults", "/v1/memory_stores", "/v1/sessions", "/v1/messages/batches"]


@pytest.mark.parametrize("path", ACCOUNT)
def test_what_lies_in_the_operators_account_is_nobodys(installation, to, path):
    began = time.monotonic()
    for call in (to.get, to.delete):
        with pytest.raises(anthropic.PermissionDeniedError, match="operator's"):
            call(path, cast_to=object)
    assert installation.provider_calls(since=began) == []


def test_a_model_is_not_deleted(installation, to):
    assert to.models.list().data
    with pytest.raises(anthropic.PermissionDeniedError):
        to.delete(f"/v1/models/{MODELS['anthropic']}", cast_to=object)
