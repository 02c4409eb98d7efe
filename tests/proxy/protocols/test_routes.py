"""Where paths lead: by the bytes that are forwarded."""

import pytest

from apps.proxy.protocols import routes

VERSION = [(b"anthropic-version", b"2023-06-01")]
GOOGLE = [(b"x-goog-api-key", b"tg_live_x")]

KNOWN = [  # method, path, headers, provider, operation, path there
    ("POST", b"/v1/chat/completions", [], "openai", "chat.completions", b"/chat/completions"),
    ("POST", b"/v1/responses", [], "openai", "responses", b"/responses"),
    ("POST", b"/v1/completions", [], "openai", "completions", b"/completions"),
    ("POST", b"/v1/embeddings", [], "openai", "embeddings", b"/embeddings"),
    ("POST", b"/v1/responses/compact", [], "openai", "responses.compact", b"/responses/compact"),
    ("GET", b"/v1/models", [], "openai", "models", b"/models"),
    ("GET", b"/v1/models/gpt-4o", [], "openai", "models", b"/models/gpt-4o"),
    ("GET", b"/v1/models/ft:gpt-4o:org::id", [], "openai", "models", b"/models/ft:gpt-4o:org::id"),
    ("POST", b"/v1/images/generations", [], "openai", "images.generations", b"/images/generations"),
    ("POST", b"/v1/audio/transcriptions", [], "openai", "audio.transcriptions", b"/audio/transcriptions"),
    ("POST", b"/v1/moderations", [], "openai", "moderations", b"/moderations"),
    ("GET", b"/v1/files/file-1/content", [], "openai", "files.content", b"/files/file-1/content"),
    ("GET", b"/v1/chat/completions", [], "openai", "chat.completions", b"/chat/completions"),
    ("POST", b"/v1/messages", [], "anthropic", "messages", b"/v1/messages"),
    ("POST", b"/v1/messages/count_tokens", [], "anthropic", "messages.count_tokens", b"/v1/messages/count_tokens"),
    ("POST", b"/anthropic/v1/messages", [], "anthropic", "messages", b"/v1/messages"),
    ("GET", b"/anthropic/v1/models", [], "anthropic", "models", b"/v1/models"),
    ("GET", b"/v1/models", VERSION, "anthropic", "models", b"/v1/models"),
    ("POST", b"/v1/chat/completions", VERSION, "openai", "chat.completions", b"/chat/completions"),
    ("POST", b"/v1beta/models/g-2.5:generateContent", [], "google", "generateContent", None),
    ("POST", b"/v1beta/models/g-2.5:streamGenerateContent", [], "google", "streamGenerateContent", None),
    ("POST", b"/v1alpha/models/g-2.5:embedContent", [], "google", "embedContent", None),
    ("POST", b"/v1/models/g-2.5:generateContent", [], "google", "generateContent", None),
    ("POST", b"/v1/models/g-2.5:batchEmbedContents", [], "google", "batchEmbedContents", None),
    ("POST", b"/v1beta/tunedModels/mine:generateContent", [], "google", "generateContent", None),
    ("POST", b"/v1beta/models/g-2.5:countTokens", [], "google", "countTokens", None),
    ("GET", b"/v1beta/models", [], "google", "models", None),
    ("GET", b"/v1/models", GOOGLE, "google", "models", None),
    ("POST", b"/p/groq/chat/completions", [], "groq", "chat.completions", b"/chat/completions"),
    ("POST", b"/p/groq/v1/chat/completions", [], "groq", "chat.completions", b"/chat/completions"),
    ("POST", b"/p/my-vllm/v1/embeddings", [], "my-vllm", "embeddings", b"/embeddings"),
    ("POST", b"/p/groq/v1beta/x", [], "groq", "x", b"/v1beta/x"),
    ("POST", b"/p/anthropic/v1/messages", [], "anthropic", "messages", b"/v1/messages"),
    ("POST", b"/p/google/v1beta/models/g:countTokens", [], "google", "countTokens", b"/v1beta/models/g:countTokens"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "headers", "provider", "name", "sent"), KNOWN)
def test_paths_lead_to_an_operation_of_a_provider(method, path, headers, provider, name, sent):
    match = routes.find(method, path, headers)
    assert (match.provider, match.operation.name, match.operation.path) == (provider, name, sent or path)
    assert match.wire is {"anthropic": routes.ANTHROPIC, "google": routes.GEMINI}.get(provider, routes.OPENAI)


NOWHERE = [
    b"/", b"/v1", b"/v2/chat/completions", b"/console/", b"/v1x/models", b"/p/", b"/p/groq", b"/p/groq/",
    b"/p/GROQ/chat/completions", b"/p/-x/chat", b"/P/groq/x", b"/p/%67roq/x", b"chat",
]  # fmt: skip
AMBIGUOUS = [
    b"/v1//chat/completions", b"/v1/../chat", b"/v1/./chat", b"/v1/files/..", b"/v1/files/../organization/api_keys",
    b"/v1/files/%2e%2e/organization", b"/v1/files%2fx", b"/v1/chat%20completions", b"/v1/a\\b", b"/v1/a b",
    b"/v1/a?b", b"/v1/a#b", b"/v1/\xc3\xa9", b"/v1/a\x00", b"/v1/a\nb", b"/v1/.well-known", b"/anthropic//v1/messages",
    b"/v1beta/models/../models/x:generateContent", b"/p/groq/../openai/x",
]  # fmt: skip
ACCOUNT = [
    b"/v1/organization/api_keys", b"/v1/organizations/me", b"/v1/dashboard/billing/usage",
    b"/p/openai/organization/users", b"/p/openai/v1/organization/users", b"/anthropic/v1/organizations/api_keys",
    b"/p/anthropic/v1/organizations/users",
]  # fmt: skip


@pytest.mark.parametrize("path", NOWHERE + AMBIGUOUS + ACCOUNT)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_paths_that_lead_nowhere(method, path):
    assert routes.find(method, path, []) is None


def test_the_account_of_anthropic_is_not_reached_by_its_header_either():
    assert routes.find("GET", b"/v1/organizations/me", VERSION) is None


UNSEEN = [  # a POST that could cost what we don't see
    b"/v1beta/models/g:predict",
    b"/v1beta/models/g:generateSomething",
    b"/v1beta/openai/chat/completions",
    b"/v1beta/interactions",
    b"/v1beta/cachedContents",
    b"/anthropic/v1/complete",
    b"/anthropic/v1/agents",
]


@pytest.mark.parametrize("path", UNSEEN)
def test_what_could_cost_unseen_is_not_reached(path):
    assert routes.find("POST", path, []) is None


DEFERRED = [
    b"/v1/batches", b"/v1/fine_tuning/jobs", b"/v1/videos", b"/v1/realtime/client_secrets", b"/v1/realtime/sessions",
    b"/v1/threads/runs", b"/v1/evals/e/runs", b"/v1/messages/batches", b"/v1beta/models/g:batchGenerateContent",
    b"/p/groq/batches", b"/v1/containers",
]  # fmt: skip


@pytest.mark.parametrize("path", DEFERRED)
def test_costs_that_no_answer_tells_are_known(path):
    assert routes.find("POST", path, []).operation.is_deferred
    if b":" not in path:
        assert not routes.find("GET", path, []).operation.is_deferred


CHARGED = [
    ("POST", b"/v1/chat/completions", True),
    ("POST", b"/v1/images/generations", True),
    ("POST", b"/v1/audio/speech", True),
    ("POST", b"/v1/something/new", True),
    ("POST", b"/v1/responses/compact", True),
    ("POST", b"/v1/responses/resp_1/cancel", False),
    ("GET", b"/v1/responses/resp_1", False),
    ("GET", b"/v1/models", False),
    ("POST", b"/v1/files", False),
    ("DELETE", b"/v1/files/file-1", False),
    ("POST", b"/v1/messages", True),
    ("POST", b"/v1/messages/count_tokens", False),
    ("POST", b"/v1beta/models/g:generateContent", True),
    ("POST", b"/v1beta/models/g:countTokens", False),
    ("GET", b"/v1beta/models", False),
]


@pytest.mark.parametrize(("method", "path", "is_charged"), CHARGED)
def test_only_what_makes_a_model_work_is_charged(method, path, is_charged):
    assert routes.find(method, path, []).operation.is_charged is is_charged


def test_only_plain_v1_lets_the_model_name_the_provider():
    assert routes.find("POST", b"/v1/chat/completions", []).may_name_provider
    assert routes.find("POST", b"/v1/audio/speech", []).may_name_provider
    for path in (b"/p/openrouter/chat/completions", b"/v1/messages", b"/v1beta/models/g:generateContent"):
        assert not routes.find("POST", path, []).may_name_provider


@pytest.mark.parametrize(
    ("path", "is_streamed", "model"),
    [
        (b"/v1beta/models/gemini-2.5-pro:generateContent", False, "gemini-2.5-pro"),
        (b"/v1beta/models/gemini-2.5-pro:streamGenerateContent", True, "gemini-2.5-pro"),
        (b"/v1beta/tunedModels/mine-1:generateContent", False, "mine-1"),
    ],
)
def test_gemini_s_paths_tell_the_model(path, is_streamed, model):
    operation = routes.find("POST", path, []).operation
    assert (operation.is_streamed, operation.model) == (is_streamed, model)


@pytest.mark.parametrize("path", [b"/v1/x", b"/v1beta/x", b"/v1alpha/x", b"/anthropic/x", b"/p/x", b"/v1//x"])
def test_what_is_under_a_provider_s_prefix_is_ours_to_answer(path):
    assert routes.is_ours(path)


@pytest.mark.parametrize("path", [b"/", b"/v1", b"/v11/x", b"/portal/v1/x", b"/static/x"])
def test_what_is_not_is_handed_over(path):
    assert not routes.is_ours(path)


CATALOGUE = [
    b"/v1/models", b"/v1/models/gpt-4o", b"/p/xai/v1/language-models", b"/p/groq/models", b"/anthropic/v1/models",
    b"/p/openrouter/models/openai/gpt-4o/endpoints", b"/v1beta/models", b"/v1beta/models/gemini-2.5-pro",
    b"/openai/v1/models",
]  # fmt: skip
OF_THE_ACCOUNT = [
    b"/v1/files", b"/v1/skills", b"/v1/prompts/pmpt_1", b"/v1/chat/completions", b"/v1/fine_tuning/jobs",
    b"/v1/batches/batch_1", b"/p/openrouter/credits", b"/p/openrouter/generation", b"/p/deepseek/user/balance",
    b"/p/moonshot/users/me/balance", b"/p/mistral/agents", b"/anthropic/v1/agents", b"/anthropic/v1/vaults",
    b"/anthropic/v1/memory_stores", b"/anthropic/v1/sessions", b"/anthropic/v1/skills", b"/anthropic/v1/files",
    b"/anthropic/v1/messages/batches/b_1/results", b"/v1beta/files/f", b"/v1beta/fileSearchStores",
    b"/v1beta/tunedModels", b"/v1beta/cachedContents/c", b"/v1beta/interactions/i", b"/v1beta/batches/b",
]  # fmt: skip


@pytest.mark.parametrize("path", CATALOGUE)
def test_which_models_there_are_is_for_everybody_to_read(path):
    assert routes.find("GET", path, []).operation.is_catalogue
    for method in ("DELETE", "PATCH", "PUT"):  # a model can be the operator's own
        match = routes.find(method, path, [])
        assert match is None or not match.operation.is_catalogue


@pytest.mark.parametrize("path", OF_THE_ACCOUNT)
def test_all_else_that_can_be_read_is_somebodys(path):
    operation = routes.find("GET", path, []).operation
    assert not operation.is_catalogue
    assert not operation.object_id


NAMED = [
    (b"/v1/containers/cntr_1/files/cfile_1/content", "cntr_1"),
    (b"/v1/skills/skill_1", "skill_1"),
    (b"/v1/assistants/asst_1", "asst_1"),
    (b"/v1/chat/completions/chatcmpl_1", "chatcmpl_1"),
    (b"/anthropic/v1/files/file_1/content", "file_1"),
    (b"/anthropic/v1/skills/skill_1/versions", "skill_1"),
]


@pytest.mark.parametrize(("path", "object_id"), NAMED)
def test_what_is_kept_is_known_by_its_id(path, object_id):
    for method in ("GET", "DELETE"):
        assert routes.find(method, path, []).operation.object_id == object_id
    written = routes.find("POST", path, [])
    assert written is None or written.operation.is_deferred or written.operation.object_id == object_id


REFUSED_IN = [
    (b"/v1/../x", [], "openai"),
    (b"/v1/../x", VERSION, "anthropic"),
    (b"/v1/../x", GOOGLE, "gemini"),
    (b"/anthropic/x", [], "anthropic"),
    (b"/v1beta/interactions", [], "gemini"),
    (b"/p/anthropic/v1/complete", [], "anthropic"),
    (b"/p/groq", [], "openai"),
]


@pytest.mark.parametrize(("path", "headers", "name"), REFUSED_IN)
def test_unknown_paths_are_refused_in_the_shape_of_their_protocol(path, headers, name):
    assert routes.find("POST", path, headers) is None
    assert routes.wire_for(path, headers).name == name
