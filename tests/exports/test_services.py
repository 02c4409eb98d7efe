"""Exports: every request once, whoever dies meanwhile; and nothing that its reader may not know."""

import csv
import gzip
import io
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.http import QueryDict

from apps.accounts.models import AuditEvent
from apps.exports import services, tasks
from apps.exports.columns import CUSTOMERS, OPERATORS
from apps.exports.models import Export, ExportPiece
from apps.exports.services import (
    NotUnderstood,
    TooManyExports,
    add_export,
    forget_exports,
    note_failure,
    stale_exports,
    write_export,
)
from apps.usage.models import Request, Result
from tests.cast import a_proxy_key, at_once, reread
from tests.usage.conftest import NOON, database_url
from tests.used import a_request

AT = NOON + timedelta(hours=1)
WHILE = timedelta(seconds=60)
HIDDEN = ("cost", "markup", "provider", "customer", "alias", "served", "attempts", "price_id", "asked", "client_ip")
HIDDEN += ("rate_rule",)


@pytest.fixture
def small_pieces(monkeypatch):
    monkeypatch.setattr(services, "PIECE", 3)


@pytest.fixture
def requests(cast) -> list[Request]:
    """Eight of Globex, some at the same time, newest first; one of Initech's, one of a stranger's."""
    ours = [a_request(cast.globex, NOON - timedelta(days=n // 3), end_user=f"u{n}") for n in range(8)]
    a_request(cast.initech, NOON, end_user="theirs")
    a_request(cast.shady, NOON, end_user="strangers")
    return sorted(ours, key=lambda each: (each.started_at, each.id), reverse=True)


def ask(cast, customer=None, query: str = "", kind: str = "csv", by=None, at: datetime = AT) -> Export:
    return add_export(cast.acme, customer, QueryDict(query), kind, by=by or cast.olivia, at=at)


def written(export: Export) -> str:
    pieces = ExportPiece.objects.filter(export=export).order_by("number")
    return gzip.decompress(b"".join(bytes(piece.content) for piece in pieces)).decode()


def lines(export: Export) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(written(export))))


def test_every_request_is_written_once_newest_first(cast, requests, small_pieces):
    export = ask(cast, cast.globex, by=cast.gina)
    assert write_export(export.pk, within=WHILE) is False
    export = reread(export)
    assert [line["id"] for line in lines(export)] == [str(each.id) for each in requests]
    assert (export.state, export.rows, export.pieces.count(), export.is_cut) == (Export.State.DONE, 8, 3, False)
    assert export.size == sum(len(piece.content) for piece in export.pieces.all())
    assert list(AuditEvent.objects.filter(action="export.add").values_list("actor_id", "customer_id")) == [
        (cast.gina.pk, cast.globex.pk)
    ]


@pytest.mark.parametrize(
    ("query", "users"),
    [
        ("customer={globex}&user=u4", ["u4"]),
        ("user=theirs", ["theirs"]),
        ("period=today", ["u0", "u1", "u2", "theirs"]),
        ("until=2026-03-08T12:00", []),
        ("until=2026-03-08T12:01", ["u6", "u7"]),
        ("result=failed", []),
    ],
)
def test_it_has_what_the_explorer_shows(cast, requests, query, users):
    export = ask(cast, query=query.format(globex=cast.globex.pk))
    write_export(export.pk, within=WHILE)
    assert sorted(line["end_user"] for line in lines(export)) == sorted(users)


def test_times_in_filters_are_of_the_operators_zone(cast):
    cast.acme.time_zone = "America/New_York"
    cast.acme.save()
    a_request(cast.globex, datetime(2026, 3, 10, 3, 30, tzinfo=UTC), end_user="before midnight there")
    a_request(cast.globex, datetime(2026, 3, 10, 4, 30, tzinfo=UTC), end_user="after")
    export = ask(cast, query="since=2026-03-10T00:00")
    write_export(export.pk, within=WHILE)
    assert [(line["end_user"], line["started_at"]) for line in lines(export)] == [
        ("after", "2026-03-10T04:30:00+00:00")
    ]


def test_what_comes_after_it_was_asked_for_is_not_in_it(cast, requests, small_pieces):
    export = ask(cast, query="period=all")
    a_request(cast.globex, AT, end_user="too late")
    write_export(export.pk, within=WHILE)
    assert reread(export).rows == 9


def test_the_customers_file_tells_nothing_of_the_operators(cast):
    assert [name for name in CUSTOMERS if any(word in name for word in HIDDEN)] == []
    assert CUSTOMERS.keys() < OPERATORS.keys()
    secret = {"model": "gpt-4o", "model_served": "gpt-4o-2024", "alias": "house", "provider_request_id": "azure-1"}
    failed = {"error_message": "gpt-4o-2024 is down", "result": Result.FAILED, "cost": Decimal("0.0777")}
    a_request(cast.globex, NOON, **secret, **failed)
    for kind in ("csv", "jsonl"):
        export = ask(cast, cast.globex, kind=kind, by=cast.gina)
        write_export(export.pk, within=WHILE)
        text = written(export)
        assert "house is down" in text
        assert [word for word in ("gpt-4o", "azure", "0.0777", "openai", "Globex") if word in text] == []


def test_the_operators_file_has_all(cast):
    key, _ = a_proxy_key(cast.globex, "production")
    amounts = {"cost": Decimal("0.000000000001"), "price": Decimal("999999.000000000002")}
    a_request(cast.globex, NOON, proxy_key_id=key.pk, alias="house", properties={"plan": "Ünïcode"}, **amounts)
    both = {kind: ask(cast, kind=kind) for kind in ("csv", "jsonl")}
    for export in both.values():
        write_export(export.pk, within=WHILE)
    (line,) = lines(both["csv"])
    assert list(line) == list(OPERATORS)
    assert (line["customer"], line["key"], line["model"], line["model_served"]) == (
        "Globex", "production", "house", "gpt-4o-mini-2024-07-18",
    )  # fmt: skip
    assert (line["cost_usd"], line["price_usd"]) == ("0.000000000001", "999999.000000000002")
    assert line["properties"] == '{"plan": "Ünïcode"}'
    told = json.loads(written(both["jsonl"]))
    assert (told["cost_usd"], told["price_usd"]) == (line["cost_usd"], line["price_usd"])
    assert (told["properties"], told["is_streamed"], told["session_id"]) == ({"plan": "Ünïcode"}, False, None)
    assert (told["input_tokens"], told["started_at"]) == (1000, "2026-03-10T12:00:00+00:00")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1", '=HYPERLINK("http://x")'])
def test_no_cell_is_a_formula(cast, text):
    a_request(
        cast.globex, NOON, end_user=text, error_message=text, session_name=text, properties={text: text}, alias=text
    )
    export = ask(cast)
    write_export(export.pk, within=WHILE)
    (line,) = list(csv.DictReader(io.StringIO(written(export), newline="")))
    for name in ("end_user", "error_message", "session_name", "model", "alias"):
        assert line[name] == f"'{text}", name
    assert not [name for name, cell in line.items() if cell.startswith(("=", "+", "-", "@"))]


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_of_no_requests_there_is_a_file_all_the_same(cast, kind):
    export = ask(cast, kind=kind)
    write_export(export.pk, within=WHILE)
    assert (reread(export).state, reread(export).rows) == (Export.State.DONE, 0)
    assert written(export).split(",")[0] == ("id" if kind == "csv" else "")


def test_no_export_has_more_than_it_may(cast, requests, small_pieces, monkeypatch):
    monkeypatch.setattr(services, "MOST_ROWS", 5)
    export = ask(cast, cast.globex)
    write_export(export.pk, within=WHILE)
    export = reread(export)
    assert (export.rows, export.is_cut, export.state, len(lines(export))) == (5, True, Export.State.DONE, 5)


# Asking


def test_asked_twice_it_is_one(cast, requests):
    assert ask(cast, query="user=u1") == ask(cast, query="user=u1")
    assert ask(cast, query="user=u1", kind="jsonl") != ask(cast, query="user=u1")


@pytest.mark.parametrize(("query", "kind"), [("", "xlsx"), ("status=x", "csv"), ("price_above=lots", "csv")])
def test_what_is_not_understood_is_not_begun(cast, query, kind):
    with pytest.raises(NotUnderstood):
        ask(cast, query=query, kind=kind)
    assert not Export.objects.exists()


def test_a_few_at_once(cast):
    for number in range(services.MOST_UNDER_WAY):
        ask(cast, query=f"user=u{number}")
    with pytest.raises(TooManyExports):
        ask(cast, query="user=another")
    ask(cast, cast.globex, by=cast.gina)  # the customer's are its own
    write_export(Export.objects.filter(customer=None).first().pk, within=WHILE)
    ask(cast, query="user=another")


@pytest.mark.django_db(transaction=True)
def test_a_hundred_clicks_are_one_export(cast):
    found = at_once(8, lambda: ask(cast))
    assert len({export.pk for export in found}) == Export.objects.count() == 1


# Dying, twice, at once


def die(export: Export, fail: str) -> int:
    """Write it in a process that dies where `fail` says."""
    code = (
        "import django; django.setup()\n"
        "from datetime import timedelta; from apps.exports import services\n"
        f"services.PIECE = 3; services.write_export('{export.pk}', within=timedelta(seconds=60))"
    )
    environment = os.environ | {"DATABASE_URL": database_url(), "TOLLGATE_FAIL": fail}
    return subprocess.run([sys.executable, "-c", code], env=environment, timeout=60, check=False).returncode


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("fail", "pieces"),
    [("export_before_commit:kill:1", 0), ("export_before_commit:kill:2", 1), ("export_after_commit:kill:2", 2)],
)
def test_killed_half_way_it_is_taken_up_where_it_was(cast, requests, small_pieces, fail, pieces):
    export = ask(cast, cast.globex, at=AT)
    assert die(export, fail) == -9
    assert export.pieces.count() == pieces
    last = reread(export).moved_at
    assert stale_exports(at=last) == []
    assert stale_exports(at=last + services.STALE + timedelta(seconds=1)) == [export.pk]
    write_export(export.pk, within=WHILE)
    assert [line["id"] for line in lines(export)] == [str(each.id) for each in requests]
    assert stale_exports(at=last + timedelta(days=1)) == []


@pytest.mark.django_db(transaction=True)
def test_two_workers_write_one_file(cast, requests, small_pieces):
    export = ask(cast, cast.globex)
    assert at_once(4, lambda: write_export(export.pk, within=WHILE)).count(False) == 4
    write_export(export.pk, within=WHILE)  # where those who found it locked left it
    assert [line["id"] for line in lines(export)] == [str(each.id) for each in requests]
    before = written(export)
    write_export(export.pk, within=WHILE)
    assert written(export) == before


def test_a_turn_ends_and_another_goes_on(cast, requests, small_pieces):
    export = ask(cast, cast.globex)
    assert write_export(export.pk, within=timedelta(0)) is True
    assert (reread(export).state, reread(export).rows) == (Export.State.RUNNING, 3)
    assert write_export(export.pk, within=WHILE) is False
    assert len(lines(export)) == 8


def test_what_breaks_is_tried_again_and_then_said(cast, requests, monkeypatch):
    export = ask(cast)

    def broken(*given, **named):
        raise ZeroDivisionError

    monkeypatch.setattr(services, "piece_of", broken)
    for _ in range(services.MOST_FAILURES):
        assert reread(export).state == Export.State.QUEUED
        with pytest.raises(ZeroDivisionError):
            tasks.run(str(export.pk))
    assert reread(export).state == Export.State.FAILED
    assert "on our side" in reread(export).reason
    note_failure(export.pk, at=AT)
    assert reread(export).failures == services.MOST_FAILURES


def test_where_what_it_was_about_is_gone_it_says_so(cast, requests):
    key, _ = a_proxy_key(cast.globex)
    export = ask(cast, query=f"customer={cast.globex.pk}&key={key.pk}")
    key.delete()
    write_export(export.pk, within=WHILE)
    assert (reread(export).state, reread(export).reason) == (
        Export.State.FAILED,
        "A customer or key that it was about is gone.",
    )


def test_expired_ones_are_forgotten_with_their_files(cast, requests):
    old, new = ask(cast, at=AT - timedelta(days=8)), ask(cast, query="user=u1")
    for export in (old, new):
        write_export(export.pk, within=WHILE)
    assert forget_exports(at=AT) == 1
    assert list(Export.objects.values_list("pk", flat=True)) == [new.pk]
    assert set(ExportPiece.objects.values_list("export", flat=True)) == {new.pk}
