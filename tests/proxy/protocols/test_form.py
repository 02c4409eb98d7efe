"""Forms with files: what is read is what every provider reads, however the bytes are cut."""

import pytest

from apps.proxy.protocols.errors import BadBody
from apps.proxy.protocols.form import FIRST_BYTES, Form

TYPE = b"multipart/form-data; boundary=XX"
WANTED = frozenset(("model", "n"))
SOUND = b"RIFF\r\n--X\r\n--XY--\r\n" * 20  # nearly a boundary, again and again


def part(name: str, value: bytes, *, filename: str | None = None, more: bytes = b"") -> bytes:
    file = f'; filename="{filename}"'.encode() if filename is not None else b""
    return b'--XX\r\nContent-Disposition: form-data; name="%b"%b\r\n%b\r\n%b\r\n' % (name.encode(), file, more, value)


MODEL, OTHER = part("model", "wh\u00eesper".encode()), part("language", b"en")
FILE = part("file", SOUND, filename="a b;c.wav", more=b"Content-Type: audio/wav\r\n")
END = b"--XX--\r\n"
WHOLE = OTHER + MODEL + FILE + part("n", b"2") + END


def read(raw: bytes, *, content_type: bytes = TYPE, step: int | None = None, most_files: int = 1) -> Form:
    form = Form(content_type, WANTED, most_files)
    for start in range(0, len(raw), step or len(raw)):
        form.feed(raw[start : start + (step or len(raw))])
    form.end()
    return form


@pytest.mark.parametrize("step", [1, 2, 3, 7, 64, 200, None])
def test_fields_are_read_and_files_passed_however_they_are_cut(step):
    form = read(WHOLE, step=step)
    assert (form.get("model"), form.get("n"), form.get("language")) == ("wh\u00eesper", "2", None)
    assert (form.files, form.first_bytes) == (1, SOUND[:FIRST_BYTES])
    assert form.value_bytes == len("wh\u00eesper".encode()) + 2 + 1
    field = form.fields["model"]
    assert WHOLE[field.start : field.end] == "wh\u00eesper".encode()


BOUNDARIES = [
    b"multipart/form-data; boundary=XX",
    b'multipart/form-data;boundary="XX"',
    b"Multipart/Form-Data; charset=utf-8",
    b"multipart/form-data; boundary=XX; charset=utf-8",
]


@pytest.mark.parametrize("content_type", [BOUNDARIES[0], BOUNDARIES[1], BOUNDARIES[3]])
def test_boundaries_are_found(content_type):
    assert read(WHOLE, content_type=content_type).get("model") == "wh\u00eesper"


NO_FORMS = [
    b"",
    b"application/json",
    b"multipart/form-data",
    b"multipart/form-data; boundary=",
    b"multipart/form-data; boundary=XX; boundary=YY",
    b"multipart/mixed; boundary=XX",
    b"multipart/form-data; boundary=" + b"x" * 71,
    b'multipart/form-data; boundary="X\\"X"',
    BOUNDARIES[2],
]


@pytest.mark.parametrize("content_type", NO_FORMS)
def test_what_is_no_form_is_refused(content_type):
    with pytest.raises(BadBody) as caught:
        Form(content_type, WANTED)
    assert caught.value.status == 415


BROKEN = [
    pytest.param(MODEL + MODEL + END, "model", id="twice"),
    pytest.param(MODEL + part("Model", b"x") + END, "Model", id="two-spellings"),
    pytest.param(part("model", b"x", filename="x") + END, "model", id="a-field-as-a-file"),
    pytest.param(part("model", b"\xff") + END, "model", id="not-utf-8"),
    pytest.param(part("mod\\el", b"x") + END, None, id="an-escape-in-a-name"),
    pytest.param(part("model", b"x", filename='a\\"; name=\\"n') + END, None, id="an-escape-in-a-file-name"),
    pytest.param(part("model", b"x", more=b"Content-Transfer-Encoding: base64\r\n") + END, None, id="encoded"),
    pytest.param(part("model", b"x", more=b"Content-Type: text/plain; charset=utf-16\r\n") + END, None, id="charset"),
    pytest.param(part("model", b"x", more=b'Content-Disposition: form-data; name="n"\r\n') + END, None, id="two-names"),
    pytest.param(part("model", b"x", more=b"folded\r\n") + END, None, id="no-header"),
    pytest.param(part("model", b"x", more=b"A: b\nC: d\r\n") + END, None, id="a-bare-line-feed"),
    pytest.param(b"--XX\r\nContent-Type: text/plain\r\n\r\nx\r\n" + END, None, id="no-name"),
    pytest.param(MODEL + b"--XX \r\n" + END, None, id="a-boundary-with-a-space"),
    pytest.param(b"hello\r\n" + MODEL + END, None, id="a-preamble"),
    pytest.param(MODEL + END + MODEL, None, id="an-epilogue"),
    pytest.param(MODEL, None, id="no-end"),
    pytest.param(MODEL[:-9], None, id="cut-in-a-value"),
    pytest.param(FILE + part("file", b"x", filename="b") + END, "file", id="too-many-files"),
    pytest.param(part("prompt", b"x" * (1024 * 1024 + 1)) + END, "prompt", id="too-long"),
    pytest.param(part("model", b"x", more=b"A: " + b"b" * 5000 + b"\r\n") + END, None, id="long-headers"),
    pytest.param(part("x", b"y") * 201 + END, None, id="too-many-parts"),
]


@pytest.mark.parametrize(("raw", "param"), BROKEN)
@pytest.mark.parametrize("step", [37, None])
def test_what_could_be_read_in_two_ways_is_refused(raw, param, step):
    with pytest.raises(BadBody) as caught:
        read(raw, step=step)
    assert caught.value.param == param


def test_a_field_that_comes_after_what_was_gone_by_is_refused():
    form = Form(TYPE, WANTED)
    form.feed(MODEL + FILE)
    form.close()
    form.feed(OTHER)  # that nobody goes by
    with pytest.raises(BadBody, match="comes after a file"):
        form.feed(part("n", b"9"))


def test_a_file_takes_no_memory():
    form = Form(TYPE, WANTED)
    form.feed(MODEL + FILE[: FILE.index(b"RIFF")])
    for _ in range(2000):
        form.feed(b"\r\n--X" * 1000)
    assert len(form._buffer) < 100
    form.feed(b"\r\n" + END)
    form.end()
    assert form.is_ended
