"""What answers with sound, transcripts and images tell of what they cost."""

import re
from math import ceil

import msgspec
from msgspec.structs import replace

from apps.pricing.rating import Tokens

from . import openai_media as media
from .base import Ask, Operation
from .errors import UNREADABLE
from .openai_reader import ENDINGS as FAILURES
from .openai_reader import OpenAIReader
from .openai_usage import Usage

TOKENS_A_SECOND_HEARD = 17  # gpt-4o-transcribe: $0.006 a minute at $6 a million
CHARACTERS_A_SECOND = 15  # of speech, about
TOKENS_A_SECOND_SPOKEN = 21  # gpt-4o-mini-tts: $0.015 a minute at $12 a million
SPOKEN_PCM_BYTES_A_SECOND = 48_000  # 24 kHz, 16 bits; wav and pcm
BYTES_A_TOKEN = 4
ENDINGS = FAILURES | {
    "speech.audio.done",
    "transcript.text.done",
    "image_generation.completed",
    "image_edit.completed",
}

_CUE = re.compile(rb"--> *(?:([0-9]{1,3}):)?([0-9]{2}):([0-9]{2})[.,]([0-9]{3})")
_COMPLETED = re.compile(rb'"type"\s*:\s*"image_(?:generation|edit)\.completed"')


class _Duration(msgspec.Struct, gc=False):
    type: str | None = None
    seconds: float | None = None


class _Heard(msgspec.Struct, gc=False):
    """A transcript that tells how long it took to say."""

    usage: _Duration | None = None
    duration: float | None = None


class _Drawn(msgspec.Struct, gc=False):
    """Images, and what was chosen where it was left open."""

    data: list[msgspec.Raw] | None = None
    quality: str | None = None
    size: str | None = None


_decode_heard = msgspec.json.Decoder(_Heard, strict=False).decode
_decode_drawn = msgspec.json.Decoder(_Drawn, strict=False).decode


class MediaReader(OpenAIReader):
    """Of one answer: JSON, a stream of events, or the sound or text itself."""

    def __init__(self, operation: Operation, ask: Ask) -> None:
        super().__init__(operation, ask)
        self._is_speech = operation.name == media.SPEECH
        self._is_heard = operation.name in media.TRANSCRIPTS
        if ask.n == 1:  # of several images each has an ending of its own
            self.endings = ENDINGS

    def read_body(self, body: bytes) -> None:
        super().read_body(body)
        if self._is_heard:
            self._read_transcript(body)
        elif not self._is_speech:
            self._read_images(body)

    def read_excerpt(self, raw: bytes) -> None:
        super().read_excerpt(raw)
        if self._is_image and self.tokens is not None:
            self._note_images(self.ask.n, None, None)
            self.is_final = self.ask.n == 1 and _COMPLETED.search(raw, 0, 1000) is not None

    def assume(self, passed: int, written: int) -> Tokens:
        """See Reader. Where models are charged by the piece that is what was asked for, but for how long sound is."""
        by_tokens = media.is_by_tokens(self.model or self.ask.model)
        if self._is_speech:
            return self._assume_speech(passed, by_tokens=by_tokens)
        if self._is_heard:
            return self._assume_heard(written, by_tokens=by_tokens)
        self._note_images(self.ask.n, None, None)
        if not by_tokens:
            self.is_settled = True
            return Tokens()
        most = (self.ask.max_output_tokens or 0) * self.ask.n
        return Tokens(input=-(-min(self.ask.input_bytes, 32_000) // BYTES_A_TOKEN), output_image=most)

    # What was used, by kind of answer

    def _tell(self, usage: Usage) -> None:
        super()._tell(usage)
        if self._is_speech and self.tokens is not None and not self.tokens.output_audio:
            self.tokens = replace(self.tokens, output=0, output_audio=self.tokens.output)

    def _read_transcript(self, body: bytes) -> None:
        if self.tokens is not None:
            return
        try:
            heard = _decode_heard(body)
        except UNREADABLE:
            self._read_cues(body)
            return
        if heard.usage is not None and heard.usage.seconds is not None:
            self._settle_seconds(heard.usage.seconds)
        elif heard.duration is not None:
            self._settle_seconds(heard.duration)

    def _settle_seconds(self, seconds: float) -> None:
        self.units = {"second": max(0, ceil(seconds))}
        self.tokens, self.is_settled = Tokens(), True

    def _read_cues(self, body: bytes) -> None:
        """Subtitles say when the last of them ends; what is silent after that they don't."""
        if cues := _CUE.findall(body):
            hours, minutes, seconds, thousandths = (int(part or 0) for part in cues[-1])
            self.units = {"second": hours * 3600 + minutes * 60 + seconds + (thousandths > 0)}

    def _read_images(self, body: bytes) -> None:
        try:
            drawn = _decode_drawn(body)
        except UNREADABLE:
            return
        if drawn.data is not None:
            self._note_images(len(drawn.data), drawn.quality, drawn.size)
        if self.tokens is None and drawn.data is not None and not media.is_by_tokens(self.model or self.ask.model):
            self.tokens, self.is_settled = Tokens(), True

    def _note_images(self, number: int, quality: str | None, size: str | None) -> None:
        """By what the answer says was drawn, or else by what was asked for."""
        if not number:
            return
        name = self.ask.units[0][0] if self.ask.units else "image"
        if quality and size:
            name = media.unit_of(quality, size, is_by_tokens=True)
        self.units = {**self._told_units, name: number}

    def _assume_speech(self, passed: int, *, by_tokens: bool) -> Tokens:
        characters = self.ask.units[0][1] if self.ask.units else 0
        self.units = {"character": characters}
        if not by_tokens:
            self.is_settled = True
            return Tokens()
        seconds = -(-characters // CHARACTERS_A_SECOND)
        if self.ask.format in ("wav", "pcm"):
            seconds = -(-passed // SPOKEN_PCM_BYTES_A_SECOND)
        written = -(-self.ask.input_bytes // BYTES_A_TOKEN)
        return Tokens(input=written, output_audio=seconds * TOKENS_A_SECOND_SPOKEN)

    def _assume_heard(self, written: int, *, by_tokens: bool) -> Tokens:
        self.units = self.units or {"second": self.ask.seconds}  # gpt-transcribe is charged by them, too
        if not by_tokens:
            return Tokens()
        heard = self.ask.seconds * TOKENS_A_SECOND_HEARD
        return Tokens(input_audio=heard, output=-(-written // BYTES_A_TOKEN))
