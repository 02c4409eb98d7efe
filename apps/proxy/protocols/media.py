"""Images in a request: how many there are, what each costs at most, and which bytes are no text.

The bound of a body's input is its length in bytes: no token is shorter. An image's bytes aren't read as
text, though; it costs by its size in pixels, and providers scale what is larger. Only what stands where the
protocol has images is taken for one: the same bytes in a tool's description would be read as text.
"""

import re

import msgspec

from .errors import UNREADABLE

# Tokens of one image, at most.
OPENAI_IMAGE = 50_000  # gpt-4o-mini: 2,833 + 5,667 a tile, 8 tiles; of the others none comes near it
OPENAI_LOW_IMAGE = 2_833  # where every image says "detail": "low"; gpt-4o-mini again
ANTHROPIC_IMAGE = 5_000  # 2,576 pixels on the long edge: 4,784 tokens
GEMINI_IMAGE = 5_000  # media_resolution ultra high: 2,240; older models 258 a tile
# Sources: platform.openai.com/docs/guides/images-vision, platform.claude.com/docs/en/build-with-claude/vision,
# ai.google.dev/gemini-api/docs/media-resolution; read 2026-11-21.

OPENAI_SIGN = re.compile(rb'"(?:image_url|input_image)"')
_GEMINI_SIGN = re.compile(rb'"inline(?:Data|_data)"')
_LOW = re.compile(rb'"detail"\s*:\s*"low"')


class _Url(msgspec.Struct, gc=False):
    url: str = ""


class _OpenAIPart(msgspec.Struct, gc=False):
    type: str = ""
    image_url: _Url | str | None = None


class _OpenAIMessage(msgspec.Struct, gc=False):
    content: list[_OpenAIPart] | str | None = None
    output: list[_OpenAIPart] | str | None = None  # of a function that was called


class _OpenAIBody(msgspec.Struct, gc=False):
    messages: list[_OpenAIMessage] = []
    input: list[_OpenAIMessage] | str | None = None


class _Source(msgspec.Struct, gc=False):
    type: str = ""
    data: str = ""


class _AnthropicBlock(msgspec.Struct, gc=False):
    type: str = ""
    source: _Source | None = None
    content: "list[_AnthropicBlock] | str | None" = None  # of a tool's result


class _AnthropicMessage(msgspec.Struct, gc=False):
    content: list[_AnthropicBlock] | str = ""


class _AnthropicBody(msgspec.Struct, gc=False):
    messages: list[_AnthropicMessage] = []


class _Blob(msgspec.Struct, gc=False):
    mime: str = msgspec.field(default="", name="mimeType")
    mime_type: str = ""
    data: str = ""


class _GeminiPart(msgspec.Struct, gc=False):
    camel: _Blob | None = msgspec.field(default=None, name="inlineData")
    snake: _Blob | None = msgspec.field(default=None, name="inline_data")


class _GeminiContent(msgspec.Struct, gc=False):
    parts: list[_GeminiPart] = []


class _GeminiBody(msgspec.Struct, gc=False):
    contents: list[_GeminiContent] = []


_decode_openai = msgspec.json.Decoder(_OpenAIBody).decode
_decode_anthropic = msgspec.json.Decoder(_AnthropicBody).decode
_decode_gemini = msgspec.json.Decoder(_GeminiBody).decode


def openai_bound(body: bytes) -> int | None:
    """Tokens that the images of a chat or a response cost, less the bytes that are their data.

    None: there may be images where we don't look for them.
    """
    try:
        said = _decode_openai(body)
    except UNREADABLE:
        return None
    messages = (*said.messages, *(said.input if isinstance(said.input, list) else ()))
    contents = [each for message in messages for each in (message.content, message.output) if isinstance(each, list)]
    parts = [part for content in contents for part in content if part.type in ("image_url", "input_image")]
    if len(OPENAI_SIGN.findall(body)) > 2 * len(parts):  # each has two: its type, and its field
        return None
    urls = [part.image_url.url if isinstance(part.image_url, _Url) else part.image_url or "" for part in parts]
    is_low = len(parts) <= len(_LOW.findall(body))
    inline = sum(len(url) for url in urls if url.startswith("data:image/"))
    return len(parts) * (OPENAI_LOW_IMAGE if is_low else OPENAI_IMAGE) - inline


def anthropic_bound(body: bytes) -> int | None:
    """The same of messages, and of tools' results within them."""
    try:
        said = _decode_anthropic(body)
    except UNREADABLE:
        return None
    blocks = [block for message in said.messages if isinstance(message.content, list) for block in message.content]
    blocks += [inner for block in blocks if isinstance(block.content, list) for inner in block.content]
    images = [block.source for block in blocks if block.type == "image" and block.source is not None]
    if body.count(b'"image"') > len(images):
        return None
    return sum(ANTHROPIC_IMAGE - len(image.data) for image in images)


def gemini_bound(body: bytes) -> int | None:
    """The same of contents. Sound, films and documents have no bound by their bytes."""
    try:
        said = _decode_gemini(body)
    except UNREADABLE:
        return None
    parts = [part for content in said.contents for part in content.parts]
    blobs = [blob for part in parts for blob in (part.camel, part.snake) if blob is not None]
    images = [blob for blob in blobs if (blob.mime or blob.mime_type).startswith("image/")]
    if len(_GEMINI_SIGN.findall(body)) > len(images):
        return None
    return sum(GEMINI_IMAGE - len(image.data) for image in images)
