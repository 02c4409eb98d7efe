"""History in files: every line counted, or told why not; twice adds nothing; killed, it goes on."""

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apps.accounts.models import AuditEvent
from apps.ingest import files
from apps.usage.audit import audit
from apps.usage.models import Request, Result
from apps.usage.rollup import roll_up
from tests.cast import Cast
from tests.faults.size import some
from tests.ingest.conftest import COST
from tests.usage.conftest import manage

Import = Callable[..., dict[str, Any]]

OURS = """\
id,started_at,provider,model,input_tokens,output_tokens,end_user,property.Plan,session_id,is_streamed,latency_ms
a,2024-05-01T10:00:00Z,openai,gpt-test,1000,500,ada,premium,s1,true,812
b,2024-05-01 12:00:00+02:00,openai,gpt-test,1000,500,Zoë,,,no,
c,1714557600,openai,gpt-test,1000,500,,free,,,
d,1714557600500,openai,unheard-of,7,,,,,,
"""


@pytest.fixture
def imported(cast: Cast, price, tmp_path: Path) -> Import:
    """Imports a file for Globex, and gives what the command tells."""

    def run(content: str | bytes, *options: str, name: str = "usage.csv", customer: str = "globex") -> dict[str, Any]:
        file = tmp_path / name
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        out = StringIO()
        whose = ["--customer", customer] if customer else []
        call_command("import_usage", str(file), "--organization", "acme", *whose, "--json", *options, stdout=out)
        told: dict[str, Any] = json.loads(out.getvalue())
        rejects = Path(told["rejects"]).read_text() if told["rejects"] else ""
        told["rejected"] = [json.loads(line) for line in rejects.splitlines()]
        return told

    return run


def counts(told: dict[str, Any]) -> tuple[int, ...]:
    return tuple(told[name] for name in ("lines", "accepted", "duplicates", "conflicts", "invalid"))


def test_our_own_columns(imported: Import, cast: Cast):
    assert counts(imported(OURS)) == (4, 4, 0, 0, 0)
    one, two, three, four = Request.objects.order_by("model", "-started_at", "end_user")
    assert {each.started_at for each in (one, two, three)} == {datetime(2024, 5, 1, 10, tzinfo=UTC)}
    assert four.started_at == datetime(2024, 5, 1, 10, 0, 0, 500_000, UTC)
    assert [each.cost for each in (one, two, three, four)] == [COST, COST, COST, None]
    ada = Request.objects.get(end_user="ada")
    assert (ada.properties, ada.session_id, ada.is_streamed, ada.latency_ms) == ({"plan": "premium"}, "s1", True, 812)
    assert {each.end_user for each in (one, two, three)} == {"ada", "Zoë", None}
    event = AuditEvent.objects.get(action="usage.import")
    assert event.changes["accepted"] == [None, 4]
    assert (event.customer_id, event.target_label) == (cast.globex.pk, "Globex")


def test_a_second_time_adds_nothing(imported: Import):
    imported(OURS)
    assert counts(imported(OURS)) == (4, 0, 4, 0, 0)
    assert Request.objects.count() == 4
    assert roll_up() == 4
    assert audit().is_equal


def test_rows_without_an_id_are_known_by_what_they_say(imported: Import):
    rows = "started_at,provider,model,input_tokens\n" + 2 * "2024-05-01T10:00:00Z,openai,gpt-test,5\n"
    assert counts(imported(rows)) == (2, 1, 1, 0, 0)
    assert counts(imported(rows + "2024-05-01T10:00:01Z,openai,gpt-test,5\n")) == (3, 1, 2, 0, 0)


def test_bad_lines_are_put_aside_with_their_reasons(imported: Import):
    lines = [
        b"id,started_at,provider,model,input_tokens,output_tokens",
        b"good,2024-05-01T10:00:00Z,openai,gpt-test,1000,500",
        b"time,soon,openai,gpt-test,1,1",
        b"half,2024-05-01T10:00:00Z,openai,gpt-test,1.5,1",
        b"bytes,2024-05-01T10:00:00Z,openai,gpt-\xff,1,1",
        b"good,2024-05-01T11:00:00Z,openai,gpt-test,1,1",
        b"more,2024-05-01T10:00:00Z,openai,gpt-test,1,1,1",
        b"fewer,2024-05-01T10:00:00Z,openai,gpt-test",
        b"old,1999-05-01T10:00:00Z,openai,gpt-test,1,1",
        b"who,2024-05-01T10:00:00Z,,gpt-test,1,1",
    ]
    told = imported(b"\n".join(lines))
    assert counts(told) == (9, 2, 0, 1, 6)
    assert [(each["line"], each["status"], each["field"]) for each in told["rejected"]] == [
        (3, "invalid", "started_at"),
        (4, "invalid", "input_tokens"),
        (5, "invalid", ""),
        (6, "conflict", "id"),
        (7, "invalid", ""),
        (9, "invalid", "started_at"),
        (10, "invalid", ""),
    ]
    assert told["rejected"][0]["row"].startswith("time,soon")
    assert all(each["reason"] for each in told["rejected"])


def test_other_columns_by_a_mapping(imported: Import):
    told = imported(
        "Date,Model,In,Out,User,Ref\n2024-05-01,gpt-test,1000,500,ada,r1\n",
        *("--map", "started_at=Date", "--map", "model=Model", "--map", "input_tokens=In"),
        *("--map", "output_tokens=Out", "--map", "end_user=User", "--map", "id=Ref", "--set", "provider=openai"),
        *("--set", "property.Source=archive"),
    )
    assert counts(told) == (1, 1, 0, 0, 0)
    request = Request.objects.get()
    assert (request.cost, request.end_user, request.properties) == (COST, "ada", {"source": "archive"})


def test_json_lines_may_be_events_as_the_api_takes_them(imported: Import, cast: Cast):
    event = {"started_at": "2024-05-01T10:00:00Z", "provider": "openai", "model": "gpt-test"}
    usage = {"prompt_tokens": 1000, "completion_tokens": 500, "completion_tokens_details": {"reasoning_tokens": 100}}
    lines = [
        event | {"id": "a", "tokens": {"input": 1000, "output": 500}, "properties": {"Plan": "pro"}},
        event | {"id": "b", "usage": usage, "customer": "initech", "session": {"id": "s", "path": "/x"}},
        event | {"id": "c", "customer": "nobody"},
        ["no object"],
    ]
    content = "\n\n".join(map(json.dumps, lines)) + '\n{"cut'
    told = imported(gzip.compress(content.encode()), name="usage.jsonl.gz", customer="globex")
    assert counts(told) == (5, 2, 0, 0, 3)
    of_initech = Request.objects.get(customer_id=cast.initech.pk)
    assert (of_initech.output_tokens, of_initech.reasoning_tokens, of_initech.session_path) == (400, 100, "/x")
    assert Request.objects.get(customer_id=cast.globex.pk).properties == {"plan": "pro"}


HELICONES_CSV = (
    "response_id,response_created_at,response_status,request_created_at,request_body,request_properties,"
    "request_user_id,model,prompt_tokens,completion_tokens,latency,cost\n"
    '"r1","2024-05-01T10:00:01.000Z","200","2024-05-01T10:00:00.000Z","{""model"":""x""}","{""""Plan"""":""""pro""""}",'
    '"ada","gpt-test","1000","500","812","0.0123"\n'
    '"r2","2024-05-01T10:00:01.000Z","-3","2024-05-01T10:00:00.000Z",,,,"gpt-test",,,"-1",\n'
    '"r3","2024-05-01T10:00:01.000Z","429","2024-05-01T10:00:00.000Z",,,,"gpt-test","0","0","5","0"\n'
    '"r4","2024-05-01T10:00:01.000Z","200","2024-05-01T10:00:00.000Z",,,,"mystery","1","1","5","0"\n'
)


def test_helicones_csv_is_known_by_its_columns(imported: Import):
    told = imported(HELICONES_CSV)
    assert counts(told) == (4, 3, 0, 0, 1)
    assert "provider" in told["rejected"][0]["reason"]
    served, cancelled, failed = (Request.objects.get(result=each) for each in (0, Result.CANCELLED, Result.FAILED))
    assert (served.provider, served.model, served.end_user, served.latency_ms) == ("openai", "gpt-test", "ada", 812)
    assert (served.cost, served.provider_cost, served.properties) == (COST, Decimal("0.0123"), {"plan": "pro"})
    assert (cancelled.status, cancelled.latency_ms, cancelled.cost) == (0, 0, 0)
    assert (failed.status, failed.cost) == (429, 0)


def test_helicones_json_lines_too(imported: Import):
    line = {
        "response_id": "r1", "request_id": "q1", "request_created_at": "2024-05-01T10:00:00.000Z",
        "response_status": 200, "request_model": "claude-x", "response_model": "claude-x-1", "provider": "ANTHROPIC",
        "prompt_tokens": 10, "prompt_cache_read_tokens": 4, "prompt_cache_write_tokens": 2, "completion_tokens": 6,
        "request_user_id": None, "request_properties": {"Plan": "pro"}, "delay_ms": 70, "time_to_first_token": 12,
        "cost": 0.5, "country_code": "DE",
    }  # fmt: skip
    assert counts(imported(json.dumps(line), name="output.jsonl")) == (1, 1, 0, 0, 0)
    request = Request.objects.get()
    assert (request.provider, request.model, request.model_served) == ("anthropic", "claude-x", "claude-x-1")
    assert (request.input_tokens, request.cache_read_tokens, request.cache_write_tokens) == (10, 4, 2)
    assert (request.output_tokens, request.latency_ms, request.first_token_ms) == (6, 70, 12)
    assert (request.properties, request.endpoint) == ({"plan": "pro"}, "messages")


def test_a_dry_run_tells_and_does_nothing(imported: Import):
    imported(OURS.replace("\nd,", "\ne,"))
    told = imported(OURS.replace("a,2024-05-01T10", "a,2024-05-01T11"), "--dry-run")
    assert counts(told) == (4, 1, 2, 1, 0)
    assert told["dry_run"]
    assert Request.objects.count() == 4


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("place", some(["ingest_after_copy", "ingest_after_claim", "ingest_after_commit"], 1))
def test_killed_anywhere_the_next_run_goes_on(cast: Cast, price, tmp_path: Path, place: str):
    """The second thousand is what it dies in."""
    file = tmp_path / "usage.jsonl"
    event = {"started_at": "2024-05-01T10:00:00Z", "provider": "openai", "model": "gpt-test", "tokens": {"input": 1}}
    file.write_text("\n".join(json.dumps(event | {"id": f"event-{number}"}) for number in range(1_200)))
    command = ["import_usage", str(file), "--organization", "acme", "--customer", "globex", "--json"]
    assert manage(*command, fail=f"{place}:kill:2").returncode == -9
    there = Request.objects.count()
    assert there == (1_200 if place == "ingest_after_commit" else 1_000)
    done = manage(*command)
    assert done.returncode == 0, done.stderr
    assert counts(json.loads(done.stdout)) == (1_200, 1_200 - there, there, 0, 0)
    assert Request.objects.count() == roll_up() == 1_200
    assert audit().is_equal


def test_a_thousand_lines_are_a_transaction(imported: Import, monkeypatch):
    monkeypatch.setattr(files, "AT_ONCE", 3)
    rows = "id,started_at,provider,model,input_tokens\n"
    rows += "".join(f"{number % 7},2024-05-01T10:00:00Z,openai,gpt-test,5\n" for number in range(10))
    assert counts(imported(rows)) == (10, 7, 3, 0, 0)


def test_what_the_command_cannot_do_it_says(imported: Import, tmp_path: Path):
    with pytest.raises(CommandError, match="no field “modle”"):
        imported(OURS, "--map", "modle=Model")
    with pytest.raises(CommandError, match="--format"):
        imported(OURS, name="usage.txt")
    with pytest.raises(CommandError, match="no customer “shady”"):
        imported(OURS, customer="shady")
    with pytest.raises(CommandError, match="There is no file"):
        call_command("import_usage", str(tmp_path / "none.csv"), "--organization", "acme")
    assert not Request.objects.exists()
