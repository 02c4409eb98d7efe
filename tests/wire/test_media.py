"""Sound and images with the official SDK: through the proxy as straight, charged as the provider does."""

import io
import struct
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

import openai
import pytest
import requests

from tests.rig.installation import Installation, Tenant
from tests.wire.conftest import Proxied
from tests.wire.recorded import newest
from tests.wire.scenarios import plain

SAMPLES = 32_000  # bytes a second, of 16 kHz and 16 bits
WAV = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36, b"WAVE", b"fmt ", 16, 1, 1, 16_000, SAMPLES, 2, 16, b"data", 0)
SOUND = WAV + bytes(5 * SAMPLES - len(WAV))  # the sandbox hears 10 s: 16,000 bytes a second
PNG = b"\x89PNG\r\n\x1a\n" + bytes(500)

PRICES: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "tts-1": ({}, {"character": "0.000015"}),
    "gpt-4o-mini-tts": ({"input": "0.6", "output_audio": "12"}, {}),
    "whisper-1": ({}, {"second": "0.0001"}),
    "gpt-4o-transcribe": ({"input": "2.5", "input_audio": "6", "output": "10"}, {}),
    "dall-e-3": ({}, {"image:standard:1024x1024": "0.04", "image:hd:1024x1792": "0.12"}),
    "dall-e-2": ({}, {"image:standard:256x256": "0.016", "image:standard:1024x1024": "0.02"}),
    "gpt-image-1": ({"input": "5", "input_image": "10", "output": "40"}, {}),
}


def priced(installation: Installation, **limits: Any) -> Tenant:
    tenant = installation.tenant(**limits)
    for model, (rates, units) in PRICES.items():
        installation.desk("set_price", organization=tenant.organization, model=model, rates=rates, units=units)
    return tenant


@pytest.fixture(scope="module")
def tenant(installation: Installation) -> Tenant:
    return priced(installation)


@pytest.fixture(scope="module")
def to(proxied: Proxied, tenant: Tenant) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{proxied.url}/v1", api_key=tenant.key, max_retries=0)


@pytest.fixture(scope="module")
def provider(installation: Installation) -> openai.OpenAI:
    url = f"http://127.0.0.1:{installation.sandbox_port}/v1"
    return openai.OpenAI(base_url=url, api_key="sk-sandbox-1", max_retries=0)


def sound() -> tuple[str, io.BytesIO]:
    return "hello.wav", io.BytesIO(SOUND)


class Case(NamedTuple):
    """What is called, and what it costs by the prices above; None: by the usage that the answer tells."""

    name: str
    call: Callable[[openai.OpenAI], Any]
    cost: str
    units: dict[str, int]
    source: int = 1


def _speech(**more: Any) -> Callable[[openai.OpenAI], Any]:
    ask = {"model": "tts-1", "voice": "alloy", "input": "Grüße aus Łódź 🚀", **more}  # 16 characters
    return lambda to: to.audio.speech.create(**ask).content


def _speech_streamed(to: openai.OpenAI) -> Any:
    ask = {"model": "gpt-4o-mini-tts", "voice": "alloy", "input": "One two three.", "stream_format": "sse"}
    with to.audio.speech.with_streaming_response.create(**ask) as answer:
        return b"".join(answer.iter_bytes())


def _heard(**more: Any) -> Callable[[openai.OpenAI], Any]:
    return lambda to: plain(to.audio.transcriptions.create(**{"model": "whisper-1", "file": sound(), **more}))


def _drawn(**more: Any) -> Callable[[openai.OpenAI], Any]:
    return lambda to: plain(to.images.generate(**{"model": "dall-e-3", "prompt": "A toll gate.", **more}))


def _edited(**more: Any) -> Callable[[openai.OpenAI], Any]:
    def edit(to: openai.OpenAI) -> Any:
        images = [("a.png", PNG, "image/png"), ("b.png", PNG, "image/png")]
        ask = {"model": "gpt-image-1", "prompt": "A toll gate.", "image": images, "quality": "low", **more}
        return plain(to.images.edit(**ask))

    return edit


def _listed(call: Callable[[openai.OpenAI], Any]) -> Callable[[openai.OpenAI], Any]:
    return lambda to: [plain(event) for event in call(to)]


CASES = [  # costs by hand
    Case("speech", _speech(), str(16 * Decimal("0.000015")), {"character": 16}),
    # 3 tokens in, 21 of sound out
    Case("speech-streamed", _speech_streamed, str((4 * Decimal("0.6") + 21 * 12) / 10**6), {}),
    # its answer doesn't tell: 70 bytes of body or so
    Case("transcription", _heard(), str(10 * Decimal("0.0001")), {"second": 10}),
    Case("transcription-verbose", _heard(response_format="verbose_json"), "0.001", {"second": 10}),
    Case("transcription-srt", _heard(response_format="srt"), "0.001", {"second": 10}, 2),
    Case("transcription-vtt", _heard(response_format="vtt"), "0.001", {"second": 10}, 2),
    Case("transcription-gpt", _heard(model="gpt-4o-transcribe", prompt="Toll gates.", extra_body=None), "", {}),
    Case("dall-e-3", _drawn(), "0.04", {"image:standard:1024x1024": 1}),
    Case("dall-e-3-hd", _drawn(quality="hd", size="1024x1792"), "0.12", {"image:hd:1024x1792": 1}),
    Case("dall-e-2", _drawn(model="dall-e-2", size="256x256", n=3), "0.048", {"image:standard:256x256": 3}),
    # 3 tokens of text in, 1056 out of each
    Case("gpt-image", _drawn(model="gpt-image-1", quality="medium", size="1024x1024", n=2),
         str((3 * 5 + 2112 * 40) / Decimal(10**6)), {"image:medium:1024x1024": 2}),
    # 600 of images in, and 272 out
    Case("edit", _edited(), str((3 * 5 + 600 * 10 + 272 * 40) / Decimal(10**6)), {"image:low:1024x1024": 1}),
]  # fmt: skip


@pytest.mark.parametrize("case", [case for case in CASES if case.cost], ids=lambda case: case.name)
def test_through_the_proxy_as_straight_and_charged(to, provider, installation, tenant, case):
    assert case.call(to) == case.call(provider)
    row = newest(installation, tenant)
    assert (row["result"], row["usage_source"], row["units"]) == (0, case.source, case.units)
    assert row["cost"] == Decimal(case.cost)
    assert row["price"] == Decimal(case.cost) * Decimal("1.2")


STREAMED = [
    Case("transcription", _listed(lambda to: to.audio.transcriptions.create(
        model="gpt-4o-transcribe", file=sound(), stream=True)), "", {}),
    Case("image", _listed(lambda to: to.images.generate(
        model="gpt-image-1", prompt="A gate.", stream=True, partial_images=2)), "", {}),
    Case("edit", _listed(lambda to: to.images.edit(
        model="gpt-image-1", prompt="A gate.", image=("a.png", PNG, "image/png"), stream=True)), "", {}),
]  # fmt: skip


@pytest.mark.parametrize("case", STREAMED, ids=lambda case: case.name)
def test_streams_are_charged_by_the_usage_at_their_end(to, provider, installation, tenant, case):
    events = case.call(to)
    assert events == case.call(provider)
    usage, row = events[-1]["usage"], newest(installation, tenant)
    assert (row["usage_source"], row["is_streamed"]) == (1, True)
    details = usage.get("input_token_details") or usage["input_tokens_details"]
    went_in = (row["input_tokens"], row["input_audio_tokens"] + row["input_image_tokens"])
    assert went_in == (details["text_tokens"], details.get("audio_tokens") or details.get("image_tokens") or 0)
    assert row["output_tokens"] + row["output_image_tokens"] == usage["output_tokens"]


def test_speech_that_does_not_tell_is_estimated_and_marked(to, installation, tenant):
    to.audio.speech.create(model="gpt-4o-mini-tts", voice="alloy", input="x" * 150)
    row = newest(installation, tenant)
    assert (row["usage_source"], row["output_audio_tokens"], row["units"]) == (2, 210, {"character": 150})
    assert row["cost"] == (row["input_tokens"] * Decimal("0.6") + 210 * 12) / 10**6 > 0


def test_moderations_are_free_and_not_refused(proxied, installation):
    tenant = installation.tenant(monthly_cap="0.000001")
    to = openai.OpenAI(base_url=f"{proxied.url}/v1", api_key=tenant.key, max_retries=0)
    assert to.moderations.create(input="Hello.").results[0].flagged is False
    row = newest(installation, tenant)
    assert (row["endpoint"], row["cost"], row["result"]) == ("moderations", 0, 0)


def test_the_user_and_the_provider_are_read_out_of_a_form(proxied, installation, tenant):
    to = openai.OpenAI(base_url=f"{proxied.url}/v1", api_key=tenant.key, max_retries=0)
    to.images.edit(model="openai/gpt-image-1", prompt="A gate.", image=("a.png", PNG, "image/png"), user="Gina")
    to.audio.transcriptions.create(model="openai/whisper-1", file=sound())
    assert installation.desk("roll_up") == []
    rows = installation.rows(
        "SELECT model, end_user, result FROM usage_request WHERE customer_id = %s ORDER BY started_at DESC LIMIT 2",
        tenant.customer,
    )
    assert [(row["model"], row["end_user"], row["result"]) for row in rows] == [
        ("whisper-1", None, 0),
        ("gpt-image-1", "Gina", 0),
    ]


def form(*parts: tuple[str, str, bytes]) -> dict[str, Any]:
    """A form with its parts in this order; ("file", "a.wav", …) is a file, ("model", "", …) a field."""
    raw = b""
    for name, filename, value in parts:
        file = f'; filename="{filename}"' if filename else ""
        raw += f'--B\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode() + value + b"\r\n"
    return {"data": raw + b"--B--\r\n", "headers": {"content-type": "multipart/form-data; boundary=B"}}


MODEL, FILE = ("model", "", b"whisper-1"), ("file", "a.wav", SOUND)


def post(proxied: Proxied, tenant: Tenant, path: str, **more: Any) -> requests.Response:
    headers = {"authorization": f"Bearer {tenant.key}", **more.pop("headers", {})}
    return requests.post(f"{proxied.url}/v1{path}", headers=headers, timeout=60, **more)


def test_fields_after_the_file_are_read_too(proxied, installation, tenant):
    answer = post(proxied, tenant, "/audio/transcriptions", **form(FILE, MODEL))
    assert answer.json()["usage"] == {"type": "duration", "seconds": 10}
    assert newest(installation, tenant)["cost"] == Decimal("0.001")


FORMS = [
    pytest.param(form(MODEL, MODEL, FILE), 400, "twice", id="twice"),
    pytest.param(form(MODEL, FILE, ("model", "", b"gpt-4o-transcribe")), 400, "comes after a file|twice", id="again"),
    pytest.param(form(MODEL, FILE, ("response_format", "", b"text")), 400, "comes after a file", id="late"),
    pytest.param(form(MODEL, FILE, ("b", "b.wav", b"x")), 400, "more files", id="two-files"),
    pytest.param({"data": b"{}", "headers": {"content-type": "application/json"}}, 400, "", id="json"),
    pytest.param({"data": b"x=1", "headers": {"content-type": "application/x-www-form-urlencoded"}}, 415, "form",
        id="no-form"),
    pytest.param(form(MODEL, FILE) | {"headers": {"content-type": "multipart/form-data; boundary=C"}}, 400, "boundary",
        id="another-boundary"),
]  # fmt: skip


@pytest.mark.parametrize(("ask", "status", "says"), FORMS)
def test_a_form_that_could_be_read_in_two_ways_reaches_nobody(proxied, installation, tenant, ask, status, says):
    began = time.monotonic()
    answer = post(proxied, tenant, "/audio/transcriptions", **ask)
    if says:
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, "invalid_body")
        assert any(word in answer.json()["error"]["message"] for word in says.split("|"))
        assert installation.provider_calls(since=began) == []
    assert newest(installation, tenant)["cost"] in (0, None)


# Caps


def test_a_cap_holds_what_it_can_cost_at_most(proxied, installation):
    tenant = priced(installation, monthly_cap="0.1")
    to = openai.OpenAI(base_url=f"{proxied.url}/v1", api_key=tenant.key, max_retries=0)
    to.images.generate(model="dall-e-3", prompt="A gate.")  # 0.048 with the markup
    to.images.generate(model="dall-e-3", prompt="A gate.")
    for refused in (
        lambda: to.images.generate(model="dall-e-3", prompt="A gate."),
        lambda: to.audio.speech.create(model="tts-1", voice="alloy", input="x" * 4096),
        lambda: to.audio.transcriptions.create(model="whisper-1", file=("a.mp3", b"\xff\xfb" * 40_000)),
    ):
        with pytest.raises(openai.APIStatusError) as caught:
            refused()
        assert (caught.value.status_code, caught.value.code) == (402, "spend_cap_reached")
    to.audio.speech.create(model="tts-1", voice="alloy", input="x" * 100)  # 0.0018
    assert installation.desk("roll_up") == []
    (row,) = installation.rows("SELECT sum(price) AS spent FROM usage_request WHERE customer_id = %s", tenant.customer)
    assert row["spent"] == Decimal("0.0978")
