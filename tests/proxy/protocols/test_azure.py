"""Azure OpenAI: where its paths lead, what is sent there, and what its answers look like."""

import pytest

from apps.pricing.rating import Tokens
from apps.proxy.protocols import routes
from apps.proxy.protocols.compatible import named_provider

from .answers import EVENTS, USAGE, asked_for_usage, encode, events, metered

HEADERS = [(b"accept", b"*/*")]
CHAT = b'{"model":"gpt-4o","messages":[]}'
AT = b"/openai/deployments/prod-4o"

KNOWN = [  # path, operation, deployment, path there
    (AT + b"/chat/completions", "chat.completions", "prod-4o", None),
    (AT + b"/completions", "completions", "prod-4o", None),
    (AT + b"/embeddings", "embeddings", "prod-4o", None),
    (AT + b"/audio/transcriptions", "audio.transcriptions", "prod-4o", None),
    (AT + b"/audio/speech", "audio.speech", "prod-4o", None),
    (AT + b"/images/generations", "images.generations", "prod-4o", None),
    (b"/openai/v1/chat/completions", "chat.completions", "", None),
    (b"/openai/v1/responses", "responses", "", None),
    (b"/openai/responses", "responses", "", None),
    (b"/p/azure/chat/completions", "chat.completions", "", b"/openai/v1/chat/completions"),
    (b"/p/azure/v1/chat/completions", "chat.completions", "", b"/openai/v1/chat/completions"),
    (b"/p/azure" + AT + b"/chat/completions", "chat.completions", "prod-4o", AT + b"/chat/completions"),
]


@pytest.mark.parametrize(("path", "name", "deployment", "sent"), KNOWN)
def test_paths_lead_to_an_operation_of_a_deployment(path, name, deployment, sent):
    match = routes.find("POST", path, [])
    assert (match.wire, match.provider, match.operation.name) == (routes.AZURE, "azure", name)
    assert match.operation.model == deployment
    assert match.wire.target(match.operation) == (sent or path)


@pytest.mark.parametrize("path", [b"/openai/models", b"/openai/v1/models", b"/p/azure/models"])
def test_models_can_be_listed(path):
    assert routes.find("GET", path, []).operation.is_charged is False


NOWHERE = [
    ("PUT", AT), ("GET", AT), ("DELETE", AT), ("GET", b"/openai/deployments"), ("POST", b"/openai/deployments"),
    ("POST", AT + b"/extensions/chat/completions"), ("POST", b"/openai/fine_tuning/jobs"), ("POST", b"/openai/files"),
    ("POST", b"/openai/v1/files"), ("GET", b"/openai/batches"),
    ("POST", b"/openai/ingestion/jobs/x"), ("POST", b"/openai/deployments/a/b/chat/completions"),
    ("POST", b"/openai/deployments/a%2fb/chat/completions"), ("POST", b"/openai/deployments/../chat/completions"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), NOWHERE)
def test_what_is_the_operators_own_affair_is_not_reached(method, path):
    assert routes.find(method, path, []) is None


def test_the_key_goes_where_azure_wants_it():
    assert routes.AZURE.sign(HEADERS, b"secret") == [*HEADERS, (b"api-key", b"secret")]


def test_the_path_names_the_deployment_whatever_the_body_says():
    operation = routes.find("POST", AT + b"/chat/completions", []).operation
    assert routes.AZURE.read(operation, CHAT).model == "prod-4o"
    assert routes.AZURE.read(routes.find("POST", b"/openai/v1/chat/completions", []).operation, CHAT).model == "gpt-4o"


def test_another_deployment_takes_the_place_of_the_one_in_the_path():
    operation = routes.find("POST", b"/openai/deployments/deployments/embeddings", []).operation
    operation, body = routes.AZURE.rename(operation, b"{}", "prod-3")
    assert (operation.path, operation.model, body) == (b"/openai/deployments/prod-3/embeddings", "prod-3", b"{}")


def test_the_models_name_may_say_azure():
    assert named_provider("azure/prod-4o", {"azure": 1}) == ("azure", "prod-4o")
    operation = routes.find("POST", b"/v1/chat/completions", []).operation
    assert routes.AZURE.target(operation) == b"/openai/v1/chat/completions"


FILTERED = {"hate": {"filtered": False, "severity": "safe"}}
FIRST = {"choices": [], "created": 0, "id": "", "model": "", "object": "",
    "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": FILTERED}]}  # fmt: skip
WORD = {"id": "c1", "model": "gpt-4o-2024-11-20", "choices": [{"index": 0, "delta": {"content": "Hi"},
    "content_filter_results": FILTERED, "finish_reason": None}], "usage": None}  # fmt: skip
OFFSETS = {"id": "", "model": "", "choices": [{"index": 0, "finish_reason": None, "content_filter_results": FILTERED,
    "content_filter_offsets": {"check_offset": 44, "start_offset": 44, "end_offset": 198}}]}  # fmt: skip
LAST = {"id": "c1", "model": "gpt-4o-2024-11-20", "choices": [], "usage": USAGE}


def test_what_filters_say_passes_and_only_the_usage_is_taken_out():
    shown = events(FIRST, WORD, OFFSETS)
    stream = shown + events(LAST) + events(b"[DONE]")
    match = routes.find("POST", AT + b"/chat/completions", [])
    told = metered(match, [stream], EVENTS, ask=asked_for_usage())
    assert told.passed == shown + events(b"[DONE]")
    assert (told.usage.tokens, told.usage.model) == (Tokens(input=11, output=22), "gpt-4o-2024-11-20")


def test_a_plain_answer_with_what_filters_say_is_read():
    body = encode({"id": "c1", "model": "gpt-4o", "prompt_filter_results": [], "choices": [], "usage": USAGE})
    match = routes.find("POST", b"/openai/v1/chat/completions", [])
    assert metered(match, [body]).usage.tokens == Tokens(input=11, output=22)
