"""Exports in the console and the portal: asked for, watched, downloaded by whoever may."""

import gzip
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from apps.accounts.models import AuditEvent
from apps.exports.models import Export
from apps.exports.services import write_export
from tests.cast import Cast
from tests.pages import rows_of, text_of
from tests.used import a_request

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
HTMX = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def at_noon(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture(params=["console", "portal"])
def face(request) -> str:
    return request.param


@pytest.fixture
def someone(client: Client, cast: Cast, face: str) -> Client:
    client.force_login(cast.olivia if face == "console" else cast.gina)
    return client


def body(answer) -> bytes:
    return b"".join(answer.streaming_content)


def test_from_the_explorer_to_the_file(someone: Client, cast: Cast, face: str):
    for minutes in range(1, 4):
        a_request(cast.globex, NOW - timedelta(minutes=minutes), end_user=f"u{minutes}")
    shown = someone.get(f"/{face}/requests/?user=u2").content.decode()
    assert f'action="/{face}/exports/add/"' in shown
    assert 'name="query" value="user=u2"' in shown
    asked = someone.post(f"/{face}/exports/add/", {"query": "user=u2", "format": "csv"}, follow=True)
    assert "It is being written." in text_of(asked)
    assert rows_of(asked)[1].startswith("10 Mar 12:00")
    assert "30 days User u2 Waiting" in rows_of(asked)[1]
    assert 'hx-trigger="every 2s"' in asked.content.decode()
    export = Export.objects.get()
    assert export.customer == (None if face == "console" else cast.globex)
    assert someone.get(f"/{face}/exports/{export.pk}/download/").status_code == 404

    write_export(export.pk, within=timedelta(seconds=60))
    part = someone.get(f"/{face}/exports/", headers=HTMX)
    assert "Ready" in rows_of(part)[1]
    assert "hx-get" not in part.content.decode()
    plain = someone.get(f"/{face}/exports/{export.pk}/download/")
    assert plain["Content-Disposition"] == 'attachment; filename="requests-20260310-120000.csv"'
    text = body(plain)
    assert text.decode().count("\r\n") == 2
    assert b"u2" in text
    packed = someone.get(f"/{face}/exports/{export.pk}/download/?gz")
    content = body(packed)
    assert (gzip.decompress(content), packed["Content-Length"]) == (text, str(len(content)))
    assert AuditEvent.objects.filter(action="export.download", target_id=str(export.pk)).count() == 2


def test_an_expired_file_is_not_to_be_had(someone: Client, cast: Cast, face: str, time_machine):
    someone.post(f"/{face}/exports/add/", {"query": "", "format": "jsonl"})
    export = Export.objects.get()
    write_export(export.pk, within=timedelta(seconds=60))
    assert someone.get(f"/{face}/exports/{export.pk}/download/").status_code == 200
    time_machine.move_to(NOW + timedelta(days=7), tick=False)
    someone.force_login(cast.olivia if face == "console" else cast.gina)
    assert someone.get(f"/{face}/exports/{export.pk}/download/").status_code == 404


def test_one_that_is_stopped_is_gone(someone: Client, cast: Cast, face: str):
    someone.post(f"/{face}/exports/add/", {"query": "", "format": "jsonl"})
    export = Export.objects.get()
    someone.post(f"/{face}/exports/{export.pk}/remove/")
    assert not Export.objects.exists()
    assert write_export(export.pk, within=timedelta(seconds=60)) is False
    assert someone.post(f"/{face}/exports/{export.pk}/remove/").status_code == 404


def test_the_portal_has_its_own_and_the_console_its_own(client: Client, cast: Cast):
    for who, face in ((cast.olivia, "console"), (cast.gina, "portal"), (cast.ira, "portal")):
        client.force_login(who)
        client.post(f"/{face}/exports/add/", {"query": "", "format": "csv"})
    of = {export.customer: export for export in Export.objects.select_related("customer")}
    assert of.keys() == {None, cast.globex, cast.initech}
    for export in of.values():
        write_export(export.pk, within=timedelta(seconds=60))
    client.force_login(cast.gina)
    statuses = {who: client.get(f"/portal/exports/{each.pk}/download/").status_code for who, each in of.items()}
    assert statuses == {None: 404, cast.globex: 200, cast.initech: 404}
    assert len(rows_of(client.get("/portal/exports/"))) == 2


def test_what_is_not_understood_is_said(someone: Client, face: str):
    answer = someone.post(f"/{face}/exports/add/", {"query": "status=x", "format": "csv"}, follow=True)
    assert "That cannot be exported: a filter is not understood." in text_of(answer)
    assert not Export.objects.exists()


def test_no_more_than_a_person_would(someone: Client, face: str):
    statuses = {someone.post(f"/{face}/exports/add/", {"query": "", "format": "csv"}).status_code for _ in range(31)}
    assert statuses == {302, 429}


def test_with_none_it_says_how_to_make_one(someone: Client, face: str):
    assert "No exports Search for requests" in text_of(someone.get(f"/{face}/exports/"))
