"""Sound and images: what is asked for, the most it can cost, and what answers tell of it."""

import struct

import pytest

from apps.pricing.rating import Tokens
from apps.proxy.meter import Usage
from apps.proxy.protocols.base import Ask
from apps.proxy.protocols.errors import BadBody
from apps.proxy.protocols.form import Form
from apps.proxy.protocols.openai_media import FORM_FIELDS
from apps.proxy.protocols.routes import OPENAI
from apps.usage.record import ESTIMATED, NONE, REPORTED

from . import answers
from .answers import EVENTS, JSON, encode, events, metered

SPEECH, IMAGES, EDITS = answers.SPEECH, answers.IMAGES, answers.EDITS
HEARD = answers.TRANSCRIPTIONS
WAV = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", 0, b"WAVE", b"fmt ", 16, 1, 1, 16_000, 999_999_999, 2, 16)


def form_of(fields: dict[str, str], file: bytes = b"x" * 64) -> Form:
    form = Form(b"multipart/form-data; boundary=B", FORM_FIELDS, 17)
    for name, value in fields.items():
        form.feed(f'--B\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode())
    form.feed(b'--B\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n' + file + b"\r\n--B--\r\n")
    form.end()
    return form


# What is asked for

ASKED = [  # operation, body, units, output bound of one, answers
    (SPEECH, {"model": "tts-1", "input": "Grüße 🚀"}, (("character", 7),), None, 1),
    (SPEECH, {"model": "tts-1"}, (("character", 0),), None, 1),
    (IMAGES, {"model": "dall-e-3"}, (("image:standard:1024x1024", 1),), 0, 1),
    (IMAGES, {"model": "dall-e-3", "quality": "hd", "size": "1024x1792"}, (("image:hd:1024x1792", 1),), 0, 1),
    (IMAGES, {"model": "dall-e-2", "size": "256x256", "n": 4}, (("image:standard:256x256", 4),), 0, 4),
    (IMAGES, {"model": "dall-e-3", "quality": "auto", "size": "auto"}, (("image:standard:1024x1024", 1),), 0, 1),
    (IMAGES, {"model": "gpt-image-1", "n": 3}, (("image:auto:auto", 3),), 6240, 3),
    (
        IMAGES,
        {"model": "gpt-image-1-mini", "quality": "low", "size": "1024x1536"},
        (("image:low:1024x1536", 1),),
        408,
        1,
    ),
    (
        IMAGES,
        {"model": "gpt-image-1", "quality": "medium", "size": "1024x1024", "partial_images": 2},
        (("image:medium:1024x1024", 1),),
        1056 + 200,
        1,
    ),
    (IMAGES, {"model": "gpt-image-2", "size": "3840x2160"}, (("image:auto:3840x2160", 1),), 82_944, 1),
    (IMAGES, {"model": "gpt-image-2", "size": "1024x1024"}, (("image:auto:1024x1024", 1),), 16_384, 1),
]


@pytest.mark.parametrize(("match", "body", "units", "most", "n"), ASKED)
def test_what_json_asks_for(match, body, units, most, n):
    ask = OPENAI.read(match.operation, encode({**body, "user": "u"}))
    assert (ask.model, ask.end_user) == (body["model"], "u")
    assert (ask.units, ask.max_output_tokens, ask.n) == (units, most, n)


@pytest.mark.parametrize(("match", "body"), [(m, b) for m, b, *_ in ASKED if m is IMAGES])
def test_a_form_asks_for_the_same(match, body):
    said = OPENAI.read(match.operation, encode(body))
    told = OPENAI.read_form(EDITS.operation, form_of({name: str(value) for name, value in body.items()}), 1000)
    assert (told.model, told.units, told.max_output_tokens, told.n) == (
        said.model,
        said.units,
        said.max_output_tokens,
        said.n,
    )


@pytest.mark.parametrize("n", ["-1", "1e3", "2.0", "two", "1001", "٣"])
def test_a_number_that_is_none_is_refused(n):
    with pytest.raises(BadBody):
        OPENAI.read_form(EDITS.operation, form_of({"model": "dall-e-2", "n": n}), 1000)


SOUNDS = [  # first bytes of the file, bytes of the form, seconds at most, seconds about
    (b"\xff\xfb" + b"x" * 62, 750_000, 1000, 94),
    (WAV + b"x" * 28, 320_000, 10, 10),  # 16 kHz, 16 bits: what it says of its bytes a second is a lie
    (WAV[:20] + b"\x02\x00" + WAV[22:] + b"x" * 28, 320_000, 427, 40),  # compressed
    (b"short", 749, 1, 1),
]


@pytest.mark.parametrize(("first", "size", "most", "about"), SOUNDS)
def test_sound_is_as_long_as_its_file_can_be(first, size, most, about):
    ask = OPENAI.read_form(HEARD.operation, form_of({"model": "whisper-1", "user": "u"}, first), size)
    assert (ask.units, ask.seconds, ask.end_user) == ((("second", most),), about, "u")
    assert ask.input_bound == most * 32 + 1024


def test_images_that_are_sent_are_bounded_by_their_number():
    ask = OPENAI.read_form(EDITS.operation, form_of({"model": "gpt-image-1"}), 1000)
    assert ask.input_bound == 8192 + len("gpt-image-1")


# What answers tell

IMAGE_USAGE = {
    "total_tokens": 100,
    "input_tokens": 50,
    "output_tokens": 50,
    "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
}
SPOKEN = {"type": "speech.audio.done", "usage": {"input_tokens": 14, "output_tokens": 101, "total_tokens": 115}}
HEARD_USAGE = {
    "type": "tokens",
    "input_tokens": 14,
    "input_token_details": {"text_tokens": 3, "audio_tokens": 11},
    "output_tokens": 45,
    "total_tokens": 59,
}
DALLE = Ask("dall-e-3", units=(("image:hd:1024x1792", 1),), max_output_tokens=0)
GPT_IMAGE = Ask("gpt-image-1", units=(("image:auto:auto", 1),), max_output_tokens=6240, input_bytes=400)
WHISPER = Ask("whisper-1", units=(("second", 1000),), seconds=94)
TTS = Ask("tts-1", units=(("character", 7),), input_bytes=50)
MINI_TTS = Ask("gpt-4o-mini-tts", units=(("character", 300),), input_bytes=400)
GPT_HEARS = Ask("gpt-4o-transcribe", units=(("second", 1000),), seconds=10)
VTT = b"WEBVTT\n\n00:00.000 --> 00:02.500\nOne.\n\n01:00:02.500 --> 01:00:07.120\nTwo.\n"
SRT = b"1\n00:00:00,000 --> 00:00:02,000\nOne.\n\n"
AUDIO = b"audio/mpeg"

TOLD = [  # operation, what was asked, content type, answer, tokens, units, source
    pytest.param(IMAGES, GPT_IMAGE, JSON, encode({"data": [{"b64_json": "x"}], "usage": IMAGE_USAGE, "quality": "high",
        "size": "1024x1024"}), Tokens(input=10, input_image=40, output_image=50), {"image:high:1024x1024": 1},
        REPORTED, id="gpt-image"),
    pytest.param(IMAGES, DALLE, JSON, encode({"created": 1, "data": [{"url": "https://x"}]}), Tokens(),
        {"image:hd:1024x1792": 1}, REPORTED, id="dall-e"),
    pytest.param(IMAGES, DALLE, JSON, encode({"created": 1, "data": []}), Tokens(), {}, REPORTED, id="none-drawn"),
    pytest.param(IMAGES, DALLE, JSON, b'{"data":[{"b64_json":"' + b"x" * 3_000_000 + b'"}]}', Tokens(),
        {"image:hd:1024x1792": 1}, REPORTED, id="dall-e-too-long-to-keep"),
    pytest.param(IMAGES, GPT_IMAGE, JSON, b'{"data":[{"b64_json":"' + b"x" * 3_000_000 + b'"}],"usage":' +
        encode(IMAGE_USAGE) + b"}", Tokens(input=10, input_image=40, output_image=50), {"image:auto:auto": 1},
        REPORTED, id="gpt-image-too-long-to-keep"),
    pytest.param(IMAGES, GPT_IMAGE, JSON, encode({"data": [{"b64_json": "x"}]}), Tokens(input=100, output_image=6240),
        {"image:auto:auto": 1}, ESTIMATED, id="gpt-image-untold"),
    pytest.param(IMAGES, GPT_IMAGE, EVENTS, events(
        {"type": "image_generation.partial_image", "b64_json": "x" * 70_000, "partial_image_index": 0},
        {"type": "image_generation.completed", "b64_json": "y" * 2_000_000, "usage": IMAGE_USAGE}, named=True),
        Tokens(input=10, input_image=40, output_image=50), {}, REPORTED, id="gpt-image-streamed"),
    pytest.param(SPEECH, TTS, AUDIO, b"\xff\xfb" * 900, Tokens(), {"character": 7}, REPORTED, id="tts"),
    pytest.param(SPEECH, MINI_TTS, AUDIO, b"\xff\xfb" * 900, Tokens(input=100, output_audio=420), {"character": 300},
        ESTIMATED, id="gpt-tts-untold"),
    pytest.param(SPEECH, Ask("gpt-4o-mini-tts", units=(("character", 300),), format="pcm"), b"audio/pcm",
        b"\0" * 96_000, Tokens(output_audio=42), {"character": 300}, ESTIMATED, id="gpt-tts-as-samples"),
    pytest.param(SPEECH, MINI_TTS, EVENTS, events({"type": "speech.audio.delta", "audio": "AAAA"}, SPOKEN),
        Tokens(input=14, output_audio=101), {}, REPORTED, id="gpt-tts-streamed"),
    pytest.param(HEARD, WHISPER, JSON, encode({"text": "Hi.", "usage": {"type": "duration", "seconds": 9}}), Tokens(),
        {"second": 9}, REPORTED, id="whisper"),
    pytest.param(HEARD, WHISPER, JSON, encode({"text": "Hi.", "duration": 8.47}), Tokens(), {"second": 9}, REPORTED,
        id="verbose"),
    pytest.param(HEARD, WHISPER, JSON, encode({"text": "Hi."}), Tokens(), {"second": 94}, ESTIMATED, id="only-text"),
    pytest.param(HEARD, WHISPER, b"text/plain; charset=utf-8", b"Hi.\n", Tokens(), {"second": 94}, ESTIMATED,
        id="plain-text"),
    pytest.param(HEARD, WHISPER, b"text/vtt", VTT, Tokens(), {"second": 3608}, ESTIMATED, id="vtt"),
    pytest.param(HEARD, WHISPER, b"text/plain", SRT, Tokens(), {"second": 2}, ESTIMATED, id="srt"),
    pytest.param(HEARD, GPT_HEARS, JSON, encode({"text": "Hi.", "usage": HEARD_USAGE}),
        Tokens(input=3, input_audio=11, output=45), {}, REPORTED, id="gpt-transcribe"),
    pytest.param(HEARD, GPT_HEARS, EVENTS, events({"type": "transcript.text.delta", "delta": "Hi."},
        {"type": "transcript.text.done", "text": "Hi.", "usage": HEARD_USAGE}),
        Tokens(input=3, input_audio=11, output=45), {}, REPORTED, id="gpt-transcribe-streamed"),
    pytest.param(HEARD, GPT_HEARS, JSON, encode({"text": "Hi, there."}), Tokens(input_audio=170, output=3),
        {"second": 10}, ESTIMATED, id="gpt-transcribe-untold"),
]  # fmt: skip


@pytest.mark.parametrize(("match", "ask", "content_type", "answer", "tokens", "units", "source"), TOLD)
def test_what_an_answer_tells(match, ask, content_type, answer, tokens, units, source):
    passed, usage, _ = metered(match, [answer], content_type, ask=ask)
    assert passed == answer
    assert (usage.tokens, dict(usage.units), usage.source) == (tokens, units, source)


@pytest.mark.parametrize(("match", "ask"), [(IMAGES, DALLE), (SPEECH, TTS), (HEARD, WHISPER)])
def test_an_error_costs_nothing(match, ask):
    body = encode({"error": {"message": "No.", "code": "nope"}})
    usage = metered(match, [body], ask=ask, status=400).usage
    assert (usage.tokens, usage.units, usage.source, usage.error_code) == (Tokens(), (), NONE, "nope")


def test_nothing_that_came_costs_nothing():
    assert metered(SPEECH, [], AUDIO, ask=TTS).usage == Usage()


def test_the_end_of_a_stream_is_known():
    stream = [events({"type": "transcript.text.delta", "delta": "Hi."}), events({"type": "transcript.text.done",
        "text": "Hi.", "usage": HEARD_USAGE})]  # fmt: skip
    assert metered(HEARD, stream, EVENTS, ask=GPT_HEARS).final_after == 1
    stream = [events({"type": "speech.audio.delta", "audio": "A"}), events(SPOKEN)]
    assert metered(SPEECH, stream, EVENTS, ask=MINI_TTS).final_after == 1
