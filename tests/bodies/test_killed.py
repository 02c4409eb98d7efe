"""A proxy that is killed while it writes bodies: its calls are all recorded, and what is of bodies is whole."""

import asyncio

import pytest

from tests.rig.calls import chat
from tests.rig.client import call
from tests.rig.installation import Installation
from tests.rig.processes import listen, port_of, wait_until


@pytest.mark.parametrize("place", ["before_bodies_write", "after_bodies_write"])
def test_a_proxy_that_is_killed_loses_no_record_and_no_half_of_a_body(installation: Installation, place: str):
    tenant = installation.tenant()
    installation.desk("store_bodies", organization=tenant.organization, keeps="both")
    with listen() as listener:
        fail = {"TOLLGATE_FAIL": f"{place}:kill:1"}
        (process,) = installation.proxies(1, fd=listener.fileno(), env=fail)
        seen = asyncio.run(call(port_of(listener), chat(tenant.key)))
        assert seen.is_served
        wait_until(lambda: not process.is_running, "it is killed")
    installation.run("ship", "--once")
    recorded = installation.rows("SELECT id::text, result FROM usage_request WHERE customer_id = %s", tenant.customer)
    assert recorded == [{"id": seen.headers["x-request-id"], "result": 0}]
    stored = installation.desk("read_bodies", customer=tenant.customer)
    assert [each["id"] for each in stored] == ([] if place == "before_bodies_write" else [recorded[0]["id"]])
    assert list((installation.folder / "spool" / "bodies").glob("*")) == []
