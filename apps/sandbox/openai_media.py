"""OpenAI's sound, images and moderations: bytes that are none, with the usage that they would have."""

import base64
import re
import time
from typing import Any

from apps.sandbox.call import EVENTS, Answer, Call, Json, Refusal, optional_count, required
from apps.sandbox.language import WORDS, count_tokens, write
from apps.sandbox.wire import data, named

FRAME = b"\xff\xf3\x44\xc4" + bytes(range(140))  # about a frame of MP3
PNG = b"\x89PNG\r\n\x1a\n" + bytes(200)
TYPES = {"mp3": "audio/mpeg", "opus": "audio/opus", "aac": "audio/aac", "flac": "audio/flac", "wav": "audio/wav",
         "pcm": "audio/pcm"}  # fmt: skip
IMAGE_TOKENS = {"low": 272, "medium": 1056, "high": 4160}  # of a square
HEARD_BYTES_A_SECOND = 16_000  # the sandbox's ears hear so many
PART = re.compile(rb'content-disposition: form-data; name="([^"]+)"(; *filename="[^"]*")?[^\r]*\r\n', re.IGNORECASE)


def speak(call: Call) -> Answer:
    """`POST /v1/audio/speech`: a frame a word, or as events."""
    body = call.json
    model, text = required(body, "model", str), required(body, "input", str)
    required(body, "voice", (str, dict))
    pieces = text.split() or [""]
    usage: Json = {"characters": len(text)}
    if model.startswith("gpt-"):
        asked, spoken = count_tokens(text) + count_tokens(body.get("instructions") or ""), 7 * len(pieces)
        usage = {"input_tokens": asked, "output_tokens": spoken, "total_tokens": asked + spoken}
    if body.get("stream_format") == "sse":
        sound = base64.b64encode(FRAME).decode()
        frames = [data({"type": "speech.audio.delta", "audio": sound}) for _ in pieces]
        frames.append(data({"type": "speech.audio.done", "usage": usage}))
        return Answer(frames=frames, content_type=EVENTS, model=model, usage=usage)
    kind = TYPES[body.get("response_format") or "mp3"]
    return Answer(frames=[FRAME for _ in pieces], content_type=kind, model=model, usage=usage)


def hear(call: Call) -> Answer:
    """`POST /v1/audio/transcriptions` and `translations`: as long as the file, saying the usual."""
    fields, files = form_of(call)
    model = required(fields, "model", str)
    if not files:
        raise Refusal(400, "Missing required parameter: 'file'.", code="missing_required_parameter", param="file")
    pieces, _ = write(str(len(files[0])), nonce="", tokens=call.behaviour.tokens, most=None)
    text, seconds = "".join(pieces), max(1, -(-len(files[0]) // HEARD_BYTES_A_SECOND))
    usage: Json = {"type": "duration", "seconds": seconds}
    if model.startswith("gpt-"):
        heard, prompt = 10 * seconds, count_tokens(fields.get("prompt", ""))
        usage = {
            "type": "tokens",
            "input_tokens": heard + prompt,
            "input_token_details": {"text_tokens": prompt, "audio_tokens": heard},
            "output_tokens": len(pieces),
            "total_tokens": heard + prompt + len(pieces),
        }
        if fields.get("stream") == "true":
            frames = [data({"type": "transcript.text.delta", "delta": piece}) for piece in pieces]
            frames.append(data({"type": "transcript.text.done", "text": text, "usage": usage}))
            return Answer(frames=frames, content_type=EVENTS, model=model, usage=usage)
    match fields.get("response_format", "json"):
        case "text":
            return Answer(raw=f"{text}\n".encode(), content_type="text/plain; charset=utf-8", model=model, usage=usage)
        case "srt":
            cue = f"1\n00:00:00,000 --> {_clock(seconds)},000\n{text}\n\n"
            return Answer(raw=cue.encode(), content_type="text/plain; charset=utf-8", model=model, usage=usage)
        case "vtt":
            cue = f"WEBVTT\n\n00:00:00.000 --> {_clock(seconds)}.000\n{text}\n\n"
            return Answer(raw=cue.encode(), content_type="text/vtt; charset=utf-8", model=model, usage=usage)
    told: Json = {} if call.behaviour.hides_usage else {"usage": usage}
    if fields.get("response_format") == "verbose_json":
        told |= {"task": "transcribe", "language": "english", "duration": float(seconds), "segments": []}
    return Answer({"text": text} | told, model=model, usage=usage)


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def draw(call: Call) -> Answer:
    """`POST /v1/images/generations`, `edits` and `variations`."""
    fields, files = (call.json, []) if call.json else form_of(call)
    body: Json = dict(fields)
    model, number = str(body.get("model") or "dall-e-2"), optional_count({"n": int(body.get("n") or 1)}, "n") or 1
    if not model.startswith(("gpt-", "chatgpt-")):
        images = [_image(body) | {"revised_prompt": body.get("prompt")} for _ in range(number)]
        usage = {"images": number, "quality": body.get("quality"), "size": body.get("size")}
        return Answer({"created": int(time.time()), "data": images}, model=model, usage=usage)
    quality = body.get("quality") if body.get("quality") in IMAGE_TOKENS else "high"
    size = "1024x1024" if body.get("size") in (None, "auto") else body["size"]
    usage = _image_usage(body, len(files), number * IMAGE_TOKENS[quality])
    head: Json = {"background": "opaque", "output_format": "png", "quality": quality, "size": size}
    if body.get("stream") in (True, "true"):
        frames = _drawn_bit_by_bit(call, head, usage, int(body.get("partial_images") or 0))
        return Answer(frames=frames, content_type=EVENTS, model=model, usage=usage)
    images = [{"b64_json": base64.b64encode(PNG).decode()} for _ in range(number)]
    told = {} if call.behaviour.hides_usage else {"usage": usage}
    return Answer({"created": int(time.time()), **head, "data": images} | told, model=model, usage=usage)


def _image(body: Json) -> Json:
    if body.get("response_format") == "b64_json":
        return {"b64_json": base64.b64encode(PNG).decode()}
    return {"url": "https://images.sandbox.example/1.png"}


def _image_usage(body: Json, images: int, drawn: int) -> Json:
    asked, seen = count_tokens(str(body.get("prompt", ""))), 300 * images
    return {
        "input_tokens": asked + seen,
        "input_tokens_details": {"text_tokens": asked, "image_tokens": seen},
        "output_tokens": drawn,
        "total_tokens": asked + seen + drawn,
    }


def _drawn_bit_by_bit(call: Call, head: Json, usage: Json, partial: int) -> list[bytes]:
    kind = "image_edit" if call.path.endswith("edits") else "image_generation"
    picture = {"b64_json": base64.b64encode(PNG).decode(), "created_at": int(time.time()), **head}
    frames = [
        named({"type": f"{kind}.partial_image", "partial_image_index": index, **picture}) for index in range(partial)
    ]
    return [*frames, named({"type": f"{kind}.completed", **picture, "usage": usage})]


def moderate(call: Call) -> Answer:
    """`POST /v1/moderations`, which is free: nothing is ever flagged."""
    given = required(call.json, "input", (str, list))
    model = str(call.json.get("model") or "omni-moderation-latest")
    count = len(given) if isinstance(given, list) else 1
    names = ("harassment", "hate", "sexual", "violence")
    result = {
        "flagged": False,
        "categories": dict.fromkeys(names, False),
        "category_scores": dict.fromkeys(names, 0.0001),
        "category_applied_input_types": {name: ["text"] for name in names},
    }
    return Answer({"id": f"modr-{WORDS[0]}", "model": model, "results": [result] * count}, model=model)


def form_of(call: Call) -> tuple[Json, list[bytes]]:
    """The fields and the files of a form. Raises Refusal where it is none."""
    _, _, boundary = call.headers.get("content-type", "").partition("boundary=")
    if not boundary:
        raise Refusal(400, "Could not parse multipart form")
    fields: dict[str, Any] = {}
    files: list[bytes] = []
    for part in call.body.split(b"--" + boundary.strip('"').encode())[1:-1]:
        head, _, value = part.partition(b"\r\n\r\n")
        if match := PART.search(head + b"\r\n"):
            if match[2]:
                files.append(value.removesuffix(b"\r\n"))
            else:
                fields[match[1].decode()] = value.removesuffix(b"\r\n").decode()
    return fields, files
