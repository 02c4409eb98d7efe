"""What all addresses do the same: errors, pages, ETags, throttling."""

import pytest
from django.core.cache import cache
from django.db import OperationalError
from django.test import Client

from apps.api.v1 import customers
from apps.proxy.protocols import routes
from tests.api.v1.conftest import Program
from tests.cast import Cast, a_customer, an_api_token


def problem_of(answer, status: int) -> dict:
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Cache-Control"] == "no-store"
    said = answer.json()
    assert set(said) == {"type", "title", "status", "detail", "instance", "errors"}
    assert said["status"] == status
    return said


def test_without_a_token_nothing_is_told(client: Client, db):
    answer = client.get("/api/v1/customers")
    assert problem_of(answer, 401)["type"] == "urn:tollgate:problem:unauthenticated"
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="Tollgate"'


def test_a_person_who_is_signed_in_is_nobody_here(client: Client, cast: Cast):
    client.force_login(cast.olivia)
    problem_of(client.get("/api/v1/customers"), 401)


def test_without_the_scope_it_is_refused(cast: Cast):
    ask = Program(an_api_token(cast.acme, scopes=["usage:read"])[1])
    assert problem_of(ask("GET", "customers"), 403)["detail"] == (
        "This token may not do that: it needs the scope customers:read."
    )


def test_an_address_that_is_none(acmes: Program):
    said = problem_of(acmes("GET", "customer"), 404)
    assert (said["type"], said["instance"]) == ("urn:tollgate:problem:not-found", "/api/v1/customer")


@pytest.mark.parametrize("method", ["DELETE", "OPTIONS", "TRACE", "PATCH"])
def test_a_method_that_is_none(acmes: Program, method: str):
    answer = acmes(method, "customers")
    problem_of(answer, 405)
    assert answer.headers["Allow"] == "GET, POST, HEAD"


def test_a_parameter_that_is_none(acmes: Program):
    said = problem_of(acmes("GET", "customers", colour="red", limit="0"), 400)
    assert said["errors"] == [{"detail": "There is no such parameter.", "parameter": "colour"}]
    said = problem_of(acmes("GET", "customers", limit="0"), 400)
    assert said["errors"] == [{"detail": "Ensure this value is greater than or equal to 1.", "parameter": "limit"}]
    assert said["detail"] == "limit: Ensure this value is greater than or equal to 1."


def test_a_parameter_twice(acmes: Program):
    answer = acmes("GET", "customers?limit=1&limit=2")
    assert problem_of(answer, 400)["errors"] == [{"detail": "It is there more than once.", "parameter": "limit"}]


@pytest.mark.parametrize("cursor", ["x", "e30", "W10", "WzFd", "WyJ4Il0", "ü", "W1tdXQ", "\x00"])
def test_a_cursor_that_is_none(acmes: Program, cursor: str):
    said = problem_of(acmes("GET", "customers", cursor=cursor), 400)
    assert said["errors"][0]["parameter"] == "cursor"


def test_a_body_that_is_wrong(acmes: Program):
    said = problem_of(acmes("POST", "customers", {"name": "", "colour": 1}), 400)
    assert said["errors"] == [{"detail": "There is no such member.", "pointer": "#/colour"}]
    said = problem_of(acmes("POST", "customers", {"name": "", "daily_cap": "1e999", "allowed_models": ["a", 1]}), 400)
    assert [error["pointer"] for error in said["errors"]] == ["#/allowed_models/1", "#/name", "#/daily_cap"]
    problem_of(acmes("POST", "customers", ["name"]), 400)


@pytest.mark.parametrize("sent", [b"{", b"\xff", b'{"name": NaN}', b'{"name": "\\u0000"}', b'{"name": "\\ud800"}'])
def test_a_body_that_is_no_json(acmes: Program, sent: bytes):
    answer = acmes._client.post(
        "/api/v1/customers",
        sent,
        content_type="application/json",
        headers={"authorization": f"Bearer {acmes.plain}"},
    )
    problem_of(answer, 400)


def test_another_type_of_body(acmes: Program):
    answer = acmes._client.post("/api/v1/customers", {"name": "x"}, headers={"authorization": f"Bearer {acmes.plain}"})
    problem_of(answer, 415)


def test_pages_follow_each_other_without_gap_or_double(acmes: Program, cast: Cast):
    made = [cast.globex, cast.initech, *(a_customer(cast.acme) for _ in range(5))]
    found = acmes.everything("customers", limit=3)
    assert [each["id"] for each in found] == [str(customer.pk) for customer in reversed(made)]
    page = acmes.get("customers", limit=7)
    assert (len(page["data"]), page["next"]) == (7, None)


def test_what_has_not_changed_is_not_sent_again(acmes: Program, cast: Cast):
    answer = acmes("GET", "customers")
    etag = answer.headers["ETag"]
    again = acmes("GET", "customers", headers={"if-none-match": f'"x", {etag}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["ETag"] == etag
    a_customer(cast.acme)
    changed = acmes("GET", "customers", headers={"if-none-match": etag})
    assert changed.status_code == 200
    assert changed.headers["ETag"] != etag
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert answer.headers["Vary"] == "Accept, Authorization"


def test_a_token_may_ask_so_often_a_minute(cast: Cast, settings, time_machine):
    time_machine.move_to("2026-03-10T12:00:15Z", tick=False)
    settings.API_RATE = 3
    ask, other = (Program(an_api_token(cast.acme)[1]) for _ in range(2))
    assert [ask("GET", "customers").status_code for _ in range(4)] == [200, 200, 200, 429]
    refused = ask("GET", "customers")
    assert refused.headers["Retry-After"] == "45"
    problem_of(refused, 429)
    assert other("GET", "customers").status_code == 200
    time_machine.move_to("2026-03-10T12:01:00Z", tick=False)
    assert ask("GET", "customers").status_code == 200


def test_while_redis_is_away_nobody_is_refused(acmes: Program, settings, monkeypatch):
    settings.API_RATE = 0
    assert acmes("GET", "customers").status_code == 429
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": "redis://127.0.0.1:1/0",
        }
    }
    assert acmes("GET", "customers").status_code == 200
    cache.close()


def test_while_the_database_is_away_it_says_so(acmes: Program, monkeypatch):
    def away(*_: object, **__: object) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(customers, "newest_first", away)
    answer = acmes("GET", "customers")
    assert problem_of(answer, 503)["type"] == "urn:tollgate:problem:unavailable"
    assert answer.headers["Retry-After"] == "5"


@pytest.mark.parametrize("path", ["/api/v1/customers", "/api/v1/openapi.json", "/api/docs/", "/api/v1/requests"])
@pytest.mark.parametrize("method", ["GET", "POST", "PATCH"])
def test_the_proxy_leaves_the_paths_to_us(method, path):
    assert routes.find(method, path.encode(), []) is None
    assert not routes.is_ours(path.encode())
