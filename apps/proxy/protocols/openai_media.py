"""OpenAI's sound and images: what a call asks for, and the most that it can be charged.

Charged by tokens where the answer tells them (gpt-…); else by the character of what is spoken, the second of
what is heard, the image by its quality and size. Bounds are for caps: no call is charged more.
"""

import re
import struct

import msgspec

from . import body as bodies
from .base import Ask, Operation
from .errors import UNREADABLE, BadBody
from .form import Form

SPEECH = "audio.speech"
IMAGES = "images."
TRANSCRIPTS = frozenset(("audio.transcriptions", "audio.translations"))

# Sound. A file can hold as many seconds as at the lowest bit rate of the formats taken, 6 kbit/s (Opus);
# 64 kbit/s is usual for speech. A WAV file says it itself.
LEAST_BYTES_A_SECOND = 750
USUAL_BYTES_A_SECOND = 8_000
MOST_TOKENS_A_SECOND = 32  # of sound that goes in
WAV = struct.Struct("<4s4x8s4xHHI6xH")  # of plain samples: RIFF, WAVEfmt, form, channels, rate, bits

# Images
MOST_FILES = 17  # 16 images, and a mask
IMAGE_IN_TOKENS = 8_192  # of one that is sent, in high fidelity
PARTIAL_IMAGE_TOKENS = 100
IMAGE_OUT_TOKENS = {  # gpt-image-1's, as OpenAI publishes them
    ("low", "1024x1024"): 272,
    ("low", "1024x1536"): 408,
    ("low", "1536x1024"): 400,
    ("medium", "1024x1024"): 1056,
    ("medium", "1024x1536"): 1584,
    ("medium", "1536x1024"): 1568,
}
MOST_IMAGE_OUT_TOKENS = 6_240  # gpt-image-1's, at the highest quality and largest size
PIXELS_A_TOKEN = 100  # of later models, which draw in any size: fewer are not known
LATER_IMAGE_OUT_TOKENS = 16_384
SIZE = re.compile(r"([0-9]{2,5})x([0-9]{2,5})")
TERM = re.compile(r"[a-z0-9_-]{1,20}")

FORM_FIELDS = frozenset(
    (
        "model", "n", "size", "quality", "user", "safety_identifier", "stream", "response_format", "partial_images",
    )
)  # fmt: skip


class _Body(msgspec.Struct, gc=False):
    """The fields that matter to us, of speech and of images."""

    model: str | None = None
    input: str | None = None
    stream: bool | None = None
    stream_format: str | None = None
    response_format: str | None = None
    prompt: str | None = None
    n: int | None = None
    size: str | None = None
    quality: str | None = None
    partial_images: int | None = None
    user: str | None = None
    safety_identifier: str | None = None


_decode = msgspec.json.Decoder(_Body).decode


def is_by_tokens(model: str) -> bool:
    """Whether the model's sound and images are charged by tokens, which its answers tell, or most of them."""
    return model.rpartition("/")[2].startswith(("gpt-", "chatgpt-"))


def read_json(operation: Operation, body: bytes) -> Ask:
    """What a JSON body asks for. Raises BadBody."""
    try:
        said = _decode(body)
    except UNREADABLE as error:
        raise bodies.why(error) from None
    bodies.check_unique(body)
    ask = Ask(
        model=bodies.model_name(said.model),
        is_streamed=said.stream or said.stream_format == "sse",
        end_user=said.user or said.safety_identifier,
        input_bytes=len(body),
        format=said.response_format or "",
    )
    if operation.name == SPEECH:
        ask.units = (("character", len(said.input or "")),)
    elif operation.name.startswith(IMAGES):
        _count_images(ask, said.n, said.quality, said.size, said.partial_images)
    return ask


def read_form(operation: Operation, form: Form, size: int) -> Ask:
    """What a form of `size` bytes, or at most so many, asks for. Raises BadBody."""
    ask = Ask(
        model=bodies.model_name(form.get("model")),
        is_streamed=form.get("stream") in ("true", "True", "1"),
        end_user=form.get("user") or form.get("safety_identifier"),
        input_bytes=size,
        format=form.get("response_format") or "",
    )
    if operation.name.startswith(IMAGES):
        number = _number(form, "n"), _number(form, "partial_images")
        _count_images(ask, number[0], form.get("quality"), form.get("size"), number[1])
        ask.input_bound = form.files * IMAGE_IN_TOKENS + form.value_bytes
    else:
        _count_seconds(ask, form.first_bytes, size)
    return ask


def _number(form: Form, name: str) -> int | None:
    value = form.get(name)
    if value is None or value == "":
        return None
    if not re.fullmatch("[0-9]{1,6}", value):
        raise BadBody(f"Invalid value for {name}: a whole number is wanted.", name)
    return int(value)


def _count_images(ask: Ask, n: int | None, quality: str | None, size: str | None, partial: int | None) -> None:
    """What is drawn, at most: n images of one quality and size."""
    if n is not None and not 0 <= n <= 1000:
        raise BadBody("Invalid value for n.", "n")
    ask.n = max(1, n or 1)
    is_by_token = is_by_tokens(ask.model)
    ask.units = ((unit_of(quality, size, is_by_tokens=is_by_token), ask.n),)
    if is_by_token:
        ask.max_output_tokens = _image_tokens(ask.model, quality, size) + PARTIAL_IMAGE_TOKENS * max(0, partial or 0)
    else:
        ask.max_output_tokens = 0


def unit_of(quality: str | None, size: str | None, *, is_by_tokens: bool = False) -> str:
    """The name of an image in the price book, such as "image:hd:1024x1792"; what isn't said is the usual."""
    usual = ("auto", "auto") if is_by_tokens else ("standard", "1024x1024")
    told = [
        usual[place] if not said or said == "auto" or not TERM.fullmatch(said) else said
        for place, said in enumerate((quality, size))
    ]
    return f"image:{told[0]}:{told[1]}"


def _image_tokens(model: str, quality: str | None, size: str | None) -> int:
    """No image has more tokens."""
    if model.rpartition("/")[2].startswith(("gpt-image-1", "chatgpt-image")):
        return IMAGE_OUT_TOKENS.get((quality or "", size or ""), MOST_IMAGE_OUT_TOKENS)
    drawn = SIZE.fullmatch(size or "")
    pixels = int(drawn[1]) * int(drawn[2]) if drawn else 0
    return max(LATER_IMAGE_OUT_TOKENS, -(-pixels // PIXELS_A_TOKEN))


def _count_seconds(ask: Ask, first_bytes: bytes, size: int) -> None:
    """How long the sound is, at most and about."""
    rate = _bytes_a_second(first_bytes)
    most = -(-size // (rate or LEAST_BYTES_A_SECOND))
    ask.seconds = -(-size // (rate or USUAL_BYTES_A_SECOND))
    ask.units = (("second", most),)
    ask.input_bound = most * MOST_TOKENS_A_SECOND + 1024  # and the prompt's, which is short


def _bytes_a_second(first_bytes: bytes) -> int:
    """Of a WAV file with plain samples; 0 where it is anything else. Its own word for it is not what players go by."""
    if len(first_bytes) < WAV.size:
        return 0
    riff, wave, form, channels, samples, bits = WAV.unpack_from(first_bytes)
    rate: int = channels * samples * bits // 8
    return rate if (riff, wave, form) == (b"RIFF", b"WAVEfmt ", 1) else 0
