"""Where a provider is: what decides which connections can be shared."""

from typing import NamedTuple, Self
from urllib.parse import urlsplit

DEFAULT_PORTS = {"http": 80, "https": 443}


class Origin(NamedTuple):
    """A server: by host and port, or by the path of its Unix socket."""

    scheme: str  # "http" or "https"
    host: str  # lower case, without brackets; "localhost" for a Unix socket
    port: int
    socket: str = ""  # the path of a Unix socket, which is then what is connected to

    def __str__(self) -> str:
        return f"unix:{self.socket}" if self.socket else f"{self.scheme}://{self.authority}"

    @property
    def authority(self) -> str:
        """What goes into the Host header: the port only where it isn't the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @classmethod
    def parse(cls, url: str) -> Self:
        """The origin of `url` ("https://host[:port][/…]" or "unix:/path"). Raises ValueError."""
        return cls.split(url)[0]

    @classmethod
    def split(cls, url: str) -> tuple[Self, bytes]:
        """The origin of `url` and the path after it, which never ends in a slash. Raises ValueError."""
        if any(character <= " " or character == "\x7f" for character in url):  # urlsplit drops some of them
            raise ValueError("an address has no spaces or control characters")
        if url.startswith("unix:"):
            path = url.removeprefix("unix:").removeprefix("//")
            if not path.startswith("/"):
                raise ValueError(f"a Unix socket needs an absolute path: {url!r}")
            return cls("http", "localhost", 80, path), b""
        parts = urlsplit(url)
        if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
            raise ValueError(f"not an http or https address: {url!r}")
        if parts.username is not None or parts.query or parts.fragment:
            raise ValueError("an address may not carry a user, a query or a fragment")
        port = DEFAULT_PORTS[parts.scheme] if parts.port is None else parts.port
        host = parts.hostname if ":" in parts.hostname else parts.hostname.encode("idna").decode()
        return cls(parts.scheme, host, port), parts.path.rstrip("/").encode("ascii")
