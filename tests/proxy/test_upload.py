"""Forms on their way: read as far as needed, and passed on as they came."""

import pytest

from apps.proxy.asgi import BodyTooLarge, ClientGone
from apps.proxy.protocols.errors import BadBody
from apps.proxy.protocols.form import Form
from apps.proxy.upload import Upload, form_of, length_of

TYPE = b"multipart/form-data; boundary=B"
WANTED = frozenset(("model", "n"))
MOST = 1_000_000


def part(name: str, value: bytes, *, is_file: bool = False) -> bytes:
    file = b'; filename="f"' if is_file else b""
    return b'--B\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\n%b\r\n' % (name.encode(), file, value)


MODEL, FILE, LATE, END = (
    part("model", b"whisper-1"),
    part("file", b"\xff" * 5000, is_file=True),
    part("n", b"2"),
    b"--B--",
)


class Client:
    """Sends a body in parts of 100 bytes, and counts how many were taken."""

    def __init__(self, body: bytes, *, leaves: bool = False) -> None:
        self.body, self.leaves, self.taken = body, leaves, 0

    async def receive(self) -> dict[str, object]:
        part, self.body = self.body[:100], self.body[100:]
        self.taken += len(part)
        if not self.body and self.leaves:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": part, "more_body": bool(self.body)}


def upload_of(client: Client, length: int | None, most: int = MOST) -> Upload:
    return Upload(client.receive, Form(TYPE, WANTED), length, most)


async def sent(upload: Upload) -> bytes:
    return b"".join([part async for part in upload.parts()])


async def test_what_comes_first_is_read_and_the_file_passes_by():
    body = MODEL + FILE + END
    client = Client(body)
    upload = upload_of(client, len(body))
    await upload.read(to_its_end=False)
    assert upload.form.get("model") == "whisper-1"
    assert client.taken < 500
    assert (upload.size, upload.length) == (len(body), len(body))
    assert await sent(upload) == body


@pytest.mark.parametrize(
    ("body", "has_length", "to_its_end"),
    [(MODEL + FILE + END, False, False), (FILE + MODEL + END, True, False), (MODEL + FILE + END, True, True)],
    ids=["no-length", "file-first", "wanted-whole"],
)
async def test_otherwise_all_of_it_is_read(body, has_length, to_its_end):
    client = Client(body)
    upload = upload_of(client, len(body) if has_length else None)
    await upload.read(to_its_end=to_its_end)
    assert client.taken == len(body)
    assert (upload.form.get("model"), upload.size, upload.length) == ("whisper-1", len(body), len(body))
    assert await sent(upload) == body


async def test_a_field_that_comes_too_late_breaks_it_off_before_its_end():
    body = MODEL + FILE + LATE + END
    upload = upload_of(Client(body), len(body))
    await upload.read(to_its_end=False)
    passed = []
    with pytest.raises(BadBody, match="comes after a file"):
        async for each in upload.parts():
            passed.append(each)  # noqa: PERF401 what passed before is looked at
    assert len(b"".join(passed)) < len(MODEL + FILE + LATE)


@pytest.mark.parametrize("name", ["a", "a-much-longer-name-of-a-model"])
@pytest.mark.parametrize("to_its_end", [False, True])
async def test_another_model_takes_the_place_of_the_one_that_was_named(name, to_its_end):
    body, renamed = MODEL + FILE + END, part("model", name.encode()) + FILE + END
    upload = upload_of(Client(body), len(body))
    await upload.read(to_its_end=to_its_end)
    upload.rename_model(name)
    assert upload.length == len(renamed)
    assert await sent(upload) == renamed


async def test_what_is_too_large_is_not_read_to_its_end():
    with pytest.raises(BodyTooLarge):
        upload_of(Client(b""), MOST + 1)
    client = Client(MODEL + FILE + END)
    upload = upload_of(client, None, most=1000)
    with pytest.raises(BodyTooLarge):
        await upload.read(to_its_end=False)
    assert client.taken <= 1100


@pytest.mark.parametrize("cut", [50, 300, 4000])
async def test_a_client_that_leaves_leaves_nothing_behind(cut):
    body = MODEL + FILE + END
    upload = upload_of(Client(body[:cut], leaves=True), len(body))
    with pytest.raises(ClientGone):
        await upload.read(to_its_end=False)
        await sent(upload)


@pytest.mark.parametrize("ending", [b"", b"--B\r\n"])
async def test_a_form_without_an_end_is_refused(ending):
    body = MODEL + FILE + ending
    upload = upload_of(Client(body), len(body))
    with pytest.raises(BadBody):
        await upload.read(to_its_end=True)


def test_what_the_headers_say():
    headers = [(b"content-type", TYPE), (b"content-length", b"12")]
    assert repr(form_of(headers, WANTED, 1)) == "<Form START after 0 parts, 0 files>"
    assert (length_of(headers), length_of([])) == (12, None)
    for types in ([], [TYPE, TYPE]):
        with pytest.raises(BadBody):
            form_of([(b"content-type", value) for value in types], WANTED, 1)
