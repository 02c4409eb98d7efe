"""What customers do with the official SDKs: each scenario gives plain data, to compare two servers by."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import anthropic
import openai
from google import genai
from google.genai import types

WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["celsius", "kelvin"]}},
    "required": ["city"],
}
UNTOLD = frozenset(  # made anew by each call
    {"id", "created", "created_at", "call_id", "item_id", "response_id", "sdk_http_response", "request_id"}
)


@dataclass(frozen=True)
class Clients:
    """The SDKs, unmodified but for where they call and with which key. They don't retry."""

    openai: openai.OpenAI
    anthropic: anthropic.Anthropic
    gemini: genai.Client
    models: dict[str, str]


def clients_of(url: str, key: str, models: dict[str, str]) -> Clients:
    """SDKs for the server at `url`."""
    options = types.HttpOptions(base_url=url, retry_options=types.HttpRetryOptions(attempts=1))
    return Clients(
        openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0),
        anthropic.Anthropic(base_url=url, api_key=key, max_retries=0),
        genai.Client(api_key=key, http_options=options),
        models,
    )


def plain(value: Any) -> Any:
    """What an SDK gave, as data, without what is made anew by each call."""
    if hasattr(value, "model_dump"):
        return plain(value.model_dump(mode="json"))
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items() if name not in UNTOLD}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return value


# OpenAI


def chat(to: Clients) -> Any:
    return plain(to.openai.chat.completions.create(model=to.models["openai"], messages=_said("Hello.")))


def chat_with_parts(to: Clients) -> Any:
    parts = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": "data:,x"}}]
    return plain(
        to.openai.chat.completions.create(
            model=to.models["openai"],
            messages=[{"role": "system", "content": "Be brief."}, {"role": "user", "content": parts}],
            n=2,
            max_completion_tokens=5,
        )
    )


def chat_streamed(to: Clients) -> Any:
    stream = to.openai.chat.completions.create(model=to.models["openai"], messages=_said("Hello."), stream=True)
    return [plain(chunk) for chunk in stream]


def chat_streamed_with_usage(to: Clients) -> Any:
    stream = to.openai.chat.completions.create(
        model=to.models["openai"],
        messages=_said("Hello sandbox:tokens=70"),
        stream=True,
        stream_options={"include_usage": True},
    )
    return [plain(chunk) for chunk in stream]


def chat_streamed_by_helper(to: Clients) -> Any:
    with to.openai.chat.completions.stream(model=to.models["openai"], messages=_said("Hello.")) as stream:
        return plain(stream.get_final_completion())


def tools(to: Clients) -> Any:
    """A tool is called, its result given, and the answer read."""
    offered = [{"type": "function", "function": {"name": "weather", "parameters": WEATHER}}]
    said = _said("Weather in Zürich?")
    ask = {"model": to.models["openai"], "tools": offered}
    first = to.openai.chat.completions.create(**ask, messages=said)
    call = first.choices[0].message.tool_calls[0]
    said += [
        first.choices[0].message.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": call.id, "content": "21 °C"},
    ]
    second = to.openai.chat.completions.create(**ask, messages=said)
    return [call.function.name, json.loads(call.function.arguments), plain(first), plain(second)]


def tools_streamed(to: Clients) -> Any:
    offered = [{"type": "function", "function": {"name": "weather", "parameters": WEATHER}}]
    stream = to.openai.chat.completions.create(
        model=to.models["openai"], messages=_said("Weather?"), tools=offered, stream=True
    )
    return [plain(chunk) for chunk in stream]


def structured(to: Clients) -> Any:
    schema = {"type": "json_schema", "json_schema": {"name": "weather", "schema": WEATHER}}
    return plain(
        to.openai.chat.completions.create(model=to.models["openai"], messages=_said("Weather?"), response_format=schema)
    )


def responses(to: Clients) -> Any:
    answer = to.openai.responses.create(model=to.models["openai"], input="Hello.", instructions="Be brief.")
    return [answer.output_text, plain(answer)]


def responses_streamed(to: Clients) -> Any:
    stream = to.openai.responses.create(model=to.models["openai"], input=_said("Hello."), stream=True)
    return [plain(event) for event in stream]


def responses_cut_short(to: Clients) -> Any:
    stream = to.openai.responses.create(
        model=to.models["openai"], input="Hello sandbox:tokens=40", max_output_tokens=7, stream=True
    )
    return [plain(event) for event in stream]


def responses_tools(to: Clients) -> Any:
    offered = [{"type": "function", "name": "weather", "parameters": WEATHER, "strict": False}]
    ask = {"model": to.models["openai"], "tools": offered}
    first = to.openai.responses.create(**ask, input="Weather?")
    call = first.output[0]
    second = to.openai.responses.create(
        **ask, input=[call, {"type": "function_call_output", "call_id": call.call_id, "output": "21 °C"}]
    )
    return [plain(first), second.output_text, plain(second.usage)]


def completions(to: Clients) -> Any:
    return plain(to.openai.completions.create(model=to.models["openai"], prompt="Once", max_tokens=9))


def completions_streamed(to: Clients) -> Any:
    stream = to.openai.completions.create(
        model=to.models["openai"],
        prompt=["Once", "Twice"],
        stream=True,
        stream_options={"include_usage": True},
    )
    return [plain(chunk) for chunk in stream]


def embeddings(to: Clients) -> Any:
    return plain(to.openai.embeddings.create(model=to.models["openai"], input=["one", "two"], dimensions=256))


def embeddings_as_floats(to: Clients) -> Any:
    return plain(to.openai.embeddings.create(model=to.models["openai"], input="one", encoding_format="float"))


def models(to: Clients) -> Any:
    return [model.id for model in to.openai.models.list()]


# Anthropic


def messages(to: Clients) -> Any:
    return plain(to.anthropic.messages.create(**_message(to, "Hello.")))


def messages_streamed(to: Clients) -> Any:
    return [plain(event) for event in to.anthropic.messages.create(**_message(to, "Hello."), stream=True)]


def messages_streamed_by_helper(to: Clients) -> Any:
    with to.anthropic.messages.stream(**_message(to, "Hello sandbox:tokens=60")) as stream:
        return ["".join(stream.text_stream), plain(stream.get_final_message())]


def messages_with_cache(to: Clients) -> Any:
    cached = {"type": "text", "text": "A long system prompt. " * 40, "cache_control": {"type": "ephemeral"}}
    return plain(to.anthropic.messages.create(**_message(to, "Hello."), system=[cached]))


def messages_with_thinking(to: Clients) -> Any:
    thinking = {"type": "enabled", "budget_tokens": 1024}
    ask = _message(to, "Hello.") | {"max_tokens": 2048}
    return [plain(event) for event in to.anthropic.messages.create(**ask, thinking=thinking, stream=True)]


def messages_tools(to: Clients) -> Any:
    offered = [{"name": "weather", "input_schema": WEATHER}]
    ask = _message(to, "Weather in Zürich?") | {"tools": offered}
    first = to.anthropic.messages.create(**ask)
    call = first.content[0]
    result = [{"type": "tool_result", "tool_use_id": call.id, "content": "21 °C"}]
    said = [*ask["messages"], {"role": "assistant", "content": [call]}, {"role": "user", "content": result}]
    second = to.anthropic.messages.create(**(ask | {"messages": said}))
    with to.anthropic.messages.stream(**ask) as stream:
        streamed = stream.get_final_message()
    return [plain(first), plain(second), plain(streamed)]


def count_tokens(to: Clients) -> Any:
    return plain(to.anthropic.messages.count_tokens(model=to.models["anthropic"], messages=_said("Hello there.")))


# Gemini


def content(to: Clients) -> Any:
    return plain(to.gemini.models.generate_content(model=to.models["google"], contents="Hello."))


def content_streamed(to: Clients) -> Any:
    stream = to.gemini.models.generate_content_stream(model=to.models["google"], contents="Hello.")
    return [plain(chunk) for chunk in stream]


def content_tools(to: Clients) -> Any:
    function = types.FunctionDeclaration(name="weather", parameters_json_schema=WEATHER)
    config = types.GenerateContentConfig(
        tools=[types.Tool(function_declarations=[function])],
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
        system_instruction="Be brief.",
    )
    answer = to.gemini.models.generate_content(model=to.models["google"], contents="Weather in Zürich?", config=config)
    return [plain(answer.function_calls), plain(answer)]


def content_embeddings(to: Clients) -> Any:
    return plain(to.gemini.models.embed_content(model=to.models["google"], contents=["one", "two"]))


def content_count(to: Clients) -> Any:
    return plain(to.gemini.models.count_tokens(model=to.models["google"], contents="Hello there."))


def _said(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text}]


def _message(to: Clients, text: str) -> dict[str, Any]:
    return {"model": to.models["anthropic"], "max_tokens": 200, "messages": _said(text)}


SCENARIOS: list[Callable[[Clients], Any]] = [
    chat,
    chat_with_parts,
    chat_streamed,
    chat_streamed_with_usage,
    chat_streamed_by_helper,
    tools,
    tools_streamed,
    structured,
    responses,
    responses_streamed,
    responses_cut_short,
    responses_tools,
    completions,
    completions_streamed,
    embeddings,
    embeddings_as_floats,
    models,
    messages,
    messages_streamed,
    messages_streamed_by_helper,
    messages_with_cache,
    messages_with_thinking,
    messages_tools,
    count_tokens,
    content,
    content_streamed,
    content_tools,
    content_embeddings,
    content_count,
]
