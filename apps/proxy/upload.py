"""A form with files on its way to the provider: what we go by is read before, the files pass by. Knows no Django."""

from collections.abc import AsyncIterator

from apps.proxy.asgi import BodyTooLarge, Receive, parts_of_body
from apps.proxy.headers import Headers
from apps.proxy.protocols.form import Form

CONTENT_TYPE = b"content-type"


class Upload:
    """`read` its beginning, then send its `parts`: once.

    length: what Content-Length says; None where it doesn't.
    most: bytes that it may have. Raises BodyTooLarge, BadBody or ClientGone at whatever is asked.
    """

    def __init__(self, receive: Receive, form: Form, length: int | None, most: int) -> None:
        if length is not None and length > most:
            raise BodyTooLarge
        self._parts = parts_of_body(receive, most)
        self._kept: list[bytes] = []
        self._kept_bytes = 0
        self._length = length
        self.form = form

    def __repr__(self) -> str:
        return f"<Upload of {self._length} bytes, {self._kept_bytes} read, {self.form!r}>"

    @property
    def size(self) -> int:
        """Bytes of the form as it is sent: what was said, or else what there was."""
        return self._kept_bytes if self._length is None else self._length

    @property
    def length(self) -> int | None:
        """Bytes that `parts` will give; None: not known."""
        return self._kept_bytes if self.form.is_ended else self._length

    async def read(self, *, to_its_end: bool) -> None:
        """Read until what we go by is known: the model, and how the first file begins.

        A client that sends its fields after its file has it all kept here; so has one that doesn't say how
        much it sends, since the file's length is what a call may cost.
        """
        form, can_pass = self.form, not to_its_end and self._length is not None
        async for part in self._parts:
            form.feed(part)
            self._kept.append(part)
            self._kept_bytes += len(part)
            if can_pass and "model" in form.fields and form.has_begun_file:
                form.close()
                return
        form.end()

    async def parts(self) -> AsyncIterator[bytes]:
        """The form, as it came, or as `rename_model` made it."""
        kept, self._kept = self._kept, []
        for part in kept:
            yield part
        form = self.form
        if form.is_ended:
            return
        async for part in self._parts:
            form.feed(part)
            yield part
        form.end()

    def rename_model(self, model: str) -> None:
        """Put another name in the place of the model's."""
        field = self.form.fields["model"]
        kept, value = b"".join(self._kept), model.encode()
        self._kept = [kept[: field.start] + value + kept[field.end :]]
        change = len(value) - (field.end - field.start)
        self._kept_bytes += change
        if self._length is not None:
            self._length += change


def form_of(headers: Headers, wanted: frozenset[str], most_files: int) -> Form:
    """The form that these headers announce. Raises BadBody where they announce none."""
    types = [value for name, value in headers if name == CONTENT_TYPE]
    return Form(types[0] if len(types) == 1 else b"", wanted, most_files)


def length_of(headers: Headers) -> int | None:
    """What Content-Length says. The server has seen to it that it is one number."""
    return next((int(value) for name, value in headers if name == b"content-length"), None)
