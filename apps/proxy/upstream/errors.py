"""What can go wrong between us and a provider.

UpstreamError
├── ConnectFailed       no connection: name, route, refusal, TLS, time-out. The provider saw nothing.
├── OriginBusy          as many connections as are allowed to this origin, and none came free. Neither.
├── FirstByteTimeout    the request was sent, no answer began in time
├── IdleTimeout         the answer, or the taking of the request, stood still for too long
├── ConnectionLost      the connection ended before the answer did
├── BadResponse         what came is not an HTTP/1.1 answer with one reading
└── InvalidRequest      what we were asked to send would not be one HTTP request: a fault of the caller
"""


class UpstreamError(Exception):
    """A call to a provider that has no complete answer."""


class ConnectFailed(UpstreamError):
    """There is no connection to the provider. The call can have had no effect."""


class OriginBusy(UpstreamError):
    """All connections that may be open to this provider are taken. The call can have had no effect."""


class FirstByteTimeout(UpstreamError):
    """The provider has not begun to answer in time."""


class IdleTimeout(UpstreamError):
    """The provider stopped in the middle, sending or receiving."""


class ConnectionLost(UpstreamError):
    """The connection ended before the answer was complete."""


class BadResponse(UpstreamError):
    """The provider's bytes are not an answer that can be read in one way only."""


class InvalidRequest(UpstreamError):
    """The request would be malformed, or its body has another length than was said."""
