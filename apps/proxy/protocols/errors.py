"""What is wrong with a request's body."""

import msgspec

# What is raised by reading JSON that is none, or not UTF-8: of that msgspec has no error of its own.
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError)


class BadBody(Exception):
    """The request's body cannot be what the client means; `param` names the field at fault, where one is."""

    def __init__(self, message: str, param: str | None = None, status: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.status = status
