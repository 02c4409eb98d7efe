"""What the proxy writes down of a call's bodies: sealed, in the frames of a spool of their own.

Fields may be added at the end, with a default: spools written before must stay readable. Knows no Django.
"""

import os

import msgspec
import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES = 12
LEVEL = 3
MOST_OPENED = 8 * 1024 * 1024  # bytes that can come out of a sealed body


class Note(msgspec.Struct, array_like=True, gc=False):
    """What is told of a body whether it is stored or not."""

    state: int  # see kept.py
    size: int  # bytes as they came over the wire
    content_type: str
    redactions: bool  # something was taken out


class BodiesFrame(msgspec.Struct, array_like=True, tag="b", gc=False):
    """The bodies of a call. Ids are a UUID's 16 bytes. The data key comes with each: a spool needs nothing else."""

    id: bytes
    started_at_us: int
    organization_id: bytes
    customer_id: bytes
    last_day: int  # days since 1970: from then on it is gone
    key_id: bytes
    wrapped_key: bytes
    kek_id: str
    sealed: bytes
    request: Note
    response: Note


class DroppedFrame(msgspec.Struct, array_like=True, tag="d", gc=False):
    """That bodies could not be kept."""

    id: bytes
    at_us: int
    organization_id: bytes
    customer_id: bytes
    bodies: int


class Texts(msgspec.Struct, array_like=True, gc=False):
    """What is sealed. None: not stored, and the note says why."""

    request: str | None
    response: str | None


class CannotOpenBody(Exception):
    """Not sealed with this key for this request, or damaged."""


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(BodiesFrame | DroppedFrame).decode
_decode_texts = msgspec.msgpack.Decoder(Texts).decode


def seal(texts: Texts, data_key: bytes, *, organization_id: bytes, customer_id: bytes, request_id: bytes) -> bytes:
    """Compress and encrypt, for this request alone."""
    nonce = os.urandom(NONCE_BYTES)
    packed = zstandard.ZstdCompressor(level=LEVEL).compress(encode(texts))
    return nonce + AESGCM(data_key).encrypt(nonce, packed, _bound_to(organization_id, customer_id, request_id))


def unseal(sealed: bytes, data_key: bytes, *, organization_id: bytes, customer_id: bytes, request_id: bytes) -> Texts:
    """What was sealed. Raises CannotOpenBody."""
    bound_to = _bound_to(organization_id, customer_id, request_id)
    try:
        packed = AESGCM(data_key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], bound_to)
        return _decode_texts(zstandard.ZstdDecompressor().decompress(packed, max_output_size=MOST_OPENED))
    except (InvalidTag, ValueError, zstandard.ZstdError, msgspec.MsgspecError) as error:
        raise CannotOpenBody("The stored body does not open: it was moved, changed, or its key was.") from error


def _bound_to(organization_id: bytes, customer_id: bytes, request_id: bytes) -> bytes:
    return b"tollgate.bodies.1\0" + organization_id + customer_id + request_id
