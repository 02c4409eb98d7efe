"""From a call through a proxy process to what is stored of it."""

import asyncio
import gzip
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from apps.bodies.kept import BINARY, CUT, NOT_KEPT, OMITTED, WHOLE
from tests.rig.calls import chat, messages
from tests.rig.client import Ask, Seen, call
from tests.rig.installation import Installation, Tenant
from tests.rig.processes import Process, listen, port_of, wait_until

CANARY = "canary-" + "x7Qp2" * 6  # in what is sent: nowhere else in the open but in what the client gets
MAIL = "ada.lovelace@example.org"


class Served:
    """A proxy process, and what is known of what it kept."""

    def __init__(self, installation: Installation, process: Process, port: int) -> None:
        self.installation = installation
        self.process = process
        self.port = port

    def call(self, ask: Ask, **headers: str) -> Seen:
        ask = replace(ask, headers=ask.headers | {name.replace("_", "-"): value for name, value in headers.items()})
        return asyncio.run(call(self.port, ask))

    def ship(self) -> None:
        self.installation.run("ship", "--once")

    def stored(self, tenant: Tenant, count: int = 1) -> list[dict[str, Any]]:
        """What is stored of the tenant's calls, once there are so many."""

        def are_there() -> bool:
            self.ship()
            query = "SELECT count(*) AS n FROM request_bodies WHERE customer_id = %s"
            return bool(self.installation.rows(query, tenant.customer)[0]["n"] >= count)

        wait_until(are_there, "bodies are stored")
        found = self.installation.desk("read_bodies", customer=tenant.customer)
        assert len(found) == count
        return found


@pytest.fixture(scope="module")
def served(installation: Installation) -> Iterator[Served]:
    with listen() as listener:
        (process,) = installation.proxies(1, fd=listener.fileno())
        yield Served(installation, process, port_of(listener))
        process.stop()


def a_tenant(installation: Installation, **policy: Any) -> Tenant:
    tenant = installation.tenant()
    installation.desk("store_bodies", organization=tenant.organization, **{"keeps": "both"} | policy)
    return tenant


def spooled(installation: Installation) -> list[Path]:
    return list((installation.folder / "spool" / "bodies").rglob("*.seg"))


def test_nothing_is_stored_unless_it_is_wanted(served: Served, installation: Installation):
    off, on = installation.tenant(), a_tenant(installation)
    assert served.call(chat(off.key, words=CANARY)).status == 200
    assert served.call(chat(on.key)).status == 200
    served.stored(on)  # which went the same way, later
    assert installation.rows("SELECT * FROM request_bodies WHERE customer_id = %s", off.customer) == []


def test_what_was_sent_and_what_came_back_is_stored(served: Served, installation: Installation):
    tenant = a_tenant(installation)
    ask = chat(tenant.key, words="hello there")
    seen = served.call(ask)
    (stored,) = served.stored(tenant)
    assert stored["request"] == ask.body.decode()
    assert stored["response"] == seen.body.decode()
    assert stored["id"] == seen.headers["x-request-id"]
    assert (stored["request_state"], stored["response_state"]) == (WHOLE, WHOLE)


@pytest.mark.parametrize("make", [chat, messages])
def test_a_stream_is_stored_as_it_came(served: Served, installation: Installation, make):
    tenant = a_tenant(installation)
    seen = served.call(make(tenant.key, is_streamed=True))
    assert seen.saw_end
    (stored,) = served.stored(tenant)
    assert stored["response"] == seen.body.decode()


def test_a_compressed_answer_is_stored_as_text(served: Served, installation: Installation):
    tenant = a_tenant(installation)
    seen = served.call(chat(tenant.key, words="sandbox:gzip"), accept_encoding="gzip")
    assert seen.headers["content-encoding"] == "gzip"
    (stored,) = served.stored(tenant)
    assert stored["response"] == gzip.decompress(seen.body).decode()


def test_a_providers_error_is_stored(served: Served, installation: Installation):
    tenant = a_tenant(installation)
    seen = served.call(chat(tenant.key, words="sandbox:error=400"))
    (stored,) = served.stored(tenant)
    assert (seen.status, stored["response"]) == (400, seen.body.decode())


def test_of_a_refused_call_nothing_is_stored(served: Served, installation: Installation):
    tenant = a_tenant(installation)
    installation.desk("limit_customer", customer=tenant.customer, requests_per_minute=0)
    assert served.call(chat(tenant.key)).status == 429
    assert served.call(replace(chat(tenant.key), body=b"no json")).status == 400
    installation.desk("limit_customer", customer=tenant.customer, requests_per_minute=None)
    wait_until(lambda: served.call(chat(tenant.key)).status == 200, "the limit is gone")
    served.stored(tenant)


OMITTING = [  # headers, and the states of request and answer
    pytest.param({"helicone_omit_request": "true"}, OMITTED, WHOLE, id="Helicone's, of the request"),
    pytest.param({"helicone_omit_response": "true"}, WHOLE, OMITTED, id="Helicone's, of the answer"),
    pytest.param({"tollgate_omit_request": "1", "tollgate_omit_response": "TRUE"}, OMITTED, OMITTED, id="ours, both"),
    pytest.param({"helicone_omit_request": "false"}, WHOLE, WHOLE, id="false"),
]


@pytest.mark.parametrize(("headers", "request_state", "response_state"), OMITTING)
def test_a_call_says_what_is_not_to_be_stored(
    served: Served, installation: Installation, headers, request_state, response_state
):
    tenant = a_tenant(installation)
    assert served.call(chat(tenant.key, words=CANARY), **headers).status == 200
    (stored,) = served.stored(tenant)
    assert (stored["request_state"], stored["response_state"]) == (request_state, response_state)
    assert (stored["request"] is None) is (request_state == OMITTED)
    assert (stored["response"] is None) is (response_state == OMITTED)


def test_of_requests_only_answers_are_not_stored(served: Served, installation: Installation):
    tenant = a_tenant(installation, keeps="requests")
    served.call(chat(tenant.key))
    (stored,) = served.stored(tenant)
    assert stored["request"]
    assert (stored["response"], stored["response_state"]) == (None, NOT_KEPT)


def test_what_is_longer_than_the_cap_is_cut_off_there(served: Served, installation: Installation):
    tenant = a_tenant(installation, most_kb=1)
    ask = chat(tenant.key, words="a" * 20_000)
    served.call(ask)
    (stored,) = served.stored(tenant)
    assert stored["request"] == ask.body[:1024].decode()
    assert stored["request_state"] == CUT
    (row,) = installation.rows("SELECT request_size FROM request_bodies WHERE id = %s", stored["id"])
    assert row["request_size"] == len(ask.body)


def test_secrets_are_taken_out_of_both(served: Served, installation: Installation):
    tenant = a_tenant(installation, patterns=["nonce-[0-9a-f]{16}"])
    seen = served.call(chat(tenant.key, words=f"mail {MAIL} or 4111 1111 1111 1111", is_streamed=True))
    (stored,) = served.stored(tenant)
    assert "[redacted] mail [e-mail address] or [card number]" in stored["request"]
    assert seen.nonce in seen.body.decode()  # the client's answer is untouched; the sandbox echoes the nonce
    assert seen.nonce not in stored["response"]
    assert "[redacted]" in stored["response"]


def test_a_file_is_noted_and_not_stored(served: Served, installation: Installation):
    tenant = a_tenant(installation)
    form = (
        b'--x\r\ncontent-disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n'
        b'--x\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\ncontent-type: audio/wav\r\n\r\n'
        b"RIFF" + b"\x00" * 400 + b"\r\n--x--\r\n"
    )
    ask = Ask(
        "nonce-file",
        "/v1/audio/transcriptions",
        {"authorization": f"Bearer {tenant.key}", "content-type": "multipart/form-data; boundary=x"},
        form,
    )
    served.call(ask)
    (stored,) = served.stored(tenant)
    assert (stored["request"], stored["request_state"]) == (None, BINARY)
    (row,) = installation.rows("SELECT request_size, request_type FROM request_bodies WHERE id = %s", stored["id"])
    assert row == {"request_size": len(form), "request_type": "multipart/form-data"}


def test_nowhere_is_anything_in_the_open(served: Served, installation: Installation):
    tenant = a_tenant(installation)
    served.call(chat(tenant.key, words=CANARY))
    wait_until(lambda: bool(spooled(installation)), "bodies are spooled")
    places = [path for path in installation.folder.rglob("*") if path.is_file() and path.name != "ledger"]
    held = [str(path) for path in places if CANARY.encode() in path.read_bytes()]
    served.stored(tenant)
    held += [str(path) for path in installation.folder.rglob("*.seg") if CANARY.encode() in path.read_bytes()]
    columns = "SELECT row_to_json(r)::text AS row, encode(sealed, 'escape') AS sealed FROM request_bodies r"
    held += [row["row"] for row in installation.rows(columns) if CANARY in row["row"] or CANARY in row["sealed"]]
    assert held == []


def test_what_was_turned_off_is_off_for_the_next_call(served: Served, installation: Installation):
    tenant, other = a_tenant(installation), a_tenant(installation)
    served.call(chat(tenant.key))
    (before,) = served.stored(tenant)
    installation.desk("store_bodies", organization=tenant.organization, keeps="nothing")
    time.sleep(1)  # within which it is told to every proxy
    assert served.call(chat(tenant.key)).status == 200
    assert served.call(chat(other.key)).status == 200
    served.stored(other)
    ids = installation.rows("SELECT id::text FROM request_bodies WHERE customer_id = %s", tenant.customer)
    assert ids == [{"id": before["id"]}]
