"""The client that the proxy calls providers with. `pool.Pool` is the way in."""

from .bulkhead import OriginStats
from .errors import (
    BadResponse,
    ConnectFailed,
    ConnectionLost,
    FirstByteTimeout,
    IdleTimeout,
    InvalidRequest,
    OriginBusy,
    UpstreamError,
)
from .exchange import Exchange
from .origin import Origin
from .pool import Pool
from .tls import client_context

__all__ = [
    "BadResponse",
    "ConnectFailed",
    "ConnectionLost",
    "Exchange",
    "FirstByteTimeout",
    "IdleTimeout",
    "InvalidRequest",
    "Origin",
    "OriginBusy",
    "OriginStats",
    "Pool",
    "UpstreamError",
    "client_context",
]
