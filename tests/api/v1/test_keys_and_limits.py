"""Proxy keys and limits, by token."""

from datetime import timedelta
from decimal import Decimal

import pytest

from apps.keys import token as form
from apps.limits.services import set_end_user_limits
from tests.api.v1.conftest import NOW, Program
from tests.cast import Cast, a_proxy_key, reread

pytestmark = pytest.mark.usefixtures("at_noon")


def test_a_key_in_clear_is_in_the_answer_that_makes_it(acmes: Program, cast: Cast):
    answer = acmes("POST", "keys", {"customer": str(cast.globex.pk), "name": "ci", "daily_cap": "2.50"})
    assert answer.status_code == 201
    assert answer.headers["Cache-Control"] == "no-store"
    made = answer.json()
    key = cast.globex.proxy_keys.get()
    assert bytes(key.key_hash) == form.digest(made.pop("key"))
    assert (key.name, key.daily_cap) == ("ci", Decimal("2.5"))
    assert acmes.get(f"keys/{key.pk}") == made
    assert made["limits"]["daily_cap"] == "2.5"


def test_whose_key_it_is_has_to_be_said_by_an_operator(acmes: Program, globexs: Program, cast: Cast):
    assert acmes("POST", "keys", {"name": "ci"}).json()["errors"] == [
        {"detail": "Say whose key it is.", "pointer": "#/customer"}
    ]
    assert globexs("POST", "keys", {"name": "ci"}).json()["customer"] == str(cast.globex.pk)
    assert globexs("POST", "keys", {"name": "ci", "customer": str(cast.initech.pk)}).status_code == 404


def test_a_key_that_would_be_over_is_a_conflict(globexs: Program, cast: Cast):
    answer = globexs("POST", "keys", {"name": "ci", "expires_at": "2026-03-10T12:00:00Z"})
    assert answer.status_code == 409
    assert answer.json()["detail"] == "The key would have expired already. Choose a later time."
    assert not cast.globex.proxy_keys.exists()


def test_a_key_is_rotated_once(globexs: Program, cast: Cast, time_machine):
    time_machine.move_to(NOW, tick=False)
    key, _ = a_proxy_key(cast.globex, daily_cap=Decimal(1))
    answer = globexs("POST", f"keys/{key.pk}/rotate", {"overlap_s": 60})
    assert answer.status_code == 201
    assert form.looks_valid(answer.json()["key"])
    assert answer.json()["limits"]["daily_cap"] == "1"
    old = globexs.get(f"keys/{key.pk}")
    assert (old["revoked_at"], old["replaced_by"]) == ("2026-03-10T12:01:00Z", answer.json()["id"])
    assert globexs("POST", f"keys/{key.pk}/rotate", {}).status_code == 409
    assert cast.globex.proxy_keys.count() == 2


def test_a_key_is_revoked(globexs: Program, cast: Cast):
    key, _ = a_proxy_key(cast.globex)
    assert globexs("POST", f"keys/{key.pk}/revoke").json()["is_live"] is False
    assert not reread(key).is_live(NOW + timedelta(seconds=5))
    assert globexs.everything("keys", is_live="true") == []
    assert [each["id"] for each in globexs.everything("keys", is_live="false")] == [str(key.pk)]


def test_keys_are_listed_by_whose_they_are(acmes: Program, globexs: Program, cast: Cast):
    ours, theirs = a_proxy_key(cast.globex)[0], a_proxy_key(cast.initech)[0]
    a_proxy_key(cast.shady)
    assert [each["id"] for each in acmes.everything("keys")] == [str(theirs.pk), str(ours.pk)]
    assert [each["id"] for each in acmes.everything("keys", customer=cast.globex.pk)] == [str(ours.pk)]
    assert [each["id"] for each in globexs.everything("keys")] == [str(ours.pk)]


def test_limits_of_a_customer_are_its_operators_to_set(acmes: Program, globexs: Program, cast: Cast):
    path = f"customers/{cast.globex.pk}/limits"
    answer = acmes("PATCH", path, {"monthly_cap": "50", "max_concurrent": 8})
    assert answer.status_code == 200
    told = globexs.get(path)
    assert told == answer.json()
    assert (told["limits"]["monthly_cap"], told["limits"]["max_concurrent"]) == ("50", 8)
    assert told["now"] == [
        state("max_concurrent", "requests", "8", None),
        state("monthly_cap", "usd", "50", "2026-04-01T00:00:00Z"),
    ]
    assert globexs("PATCH", path, {"monthly_cap": None}).status_code == 403
    assert reread(cast.globex).monthly_cap == 50


def test_limits_of_a_key(globexs: Program, cast: Cast):
    key, _ = a_proxy_key(cast.globex)
    assert globexs.get(f"keys/{key.pk}/limits")["now"] == []
    told = globexs("PATCH", f"keys/{key.pk}/limits", {"daily_cap": "5"}).json()
    assert told["now"] == [state("daily_cap", "usd", "5", "2026-03-11T00:00:00Z")]
    assert reread(key).daily_cap == 5


def test_limits_of_end_users(globexs: Program, cast: Cast):
    path = f"customers/{cast.globex.pk}/user-limits"
    default = globexs("PUT", path, {"user": None, "requests_per_day": 5}).json()
    first = globexs("PUT", path, {"user": "ada", "requests_per_day": 9, "daily_cap": "1"}).json()
    again = globexs("PUT", path, {"user": "ada", "daily_cap": "2"}).json()
    assert again["id"] == first["id"]
    assert (again["limits"]["requests_per_day"], again["limits"]["daily_cap"]) == (None, "2")
    assert again["now"] == [state("daily_cap", "usd", "2", "2026-03-11T00:00:00Z")]
    assert globexs.everything(path) == [again, default | {"now": None}]
    assert globexs.everything(path, search="AD") == [again]
    assert globexs("DELETE", f"{path}/{again['id']}").status_code == 204
    assert globexs("DELETE", f"{path}/{again['id']}").status_code == 404
    assert list(cast.globex.end_user_limits.values_list("end_user", flat=True)) == [None]


def test_limits_of_another_customers_end_user_are_not_under_ones_own(acmes: Program, cast: Cast):
    row = set_end_user_limits(cast.initech, "ada", by=None, requests_per_day=5)
    assert acmes("DELETE", f"customers/{cast.globex.pk}/user-limits/{row.pk}").status_code == 404
    assert cast.initech.end_user_limits.exists()


def test_while_redis_is_away_where_they_stand_is_not_known(globexs: Program, cast: Cast, settings):
    key, _ = a_proxy_key(cast.globex, daily_cap=Decimal(5))
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    told = globexs.get(f"keys/{key.pk}/limits")
    assert (told["limits"]["daily_cap"], told["now"]) == ("5", None)


def state(name: str, unit: str, limit: str, resets_at: str | None) -> dict[str, object]:
    amounts = {"limit": limit, "used": "0", "held": "0", "left": limit}
    return {"name": name, "unit": unit, **amounts, "resets_at": resets_at, "is_sure": unit != "usd"}
