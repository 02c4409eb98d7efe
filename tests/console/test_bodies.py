"""What the operator's people see and say of stored bodies."""

import json
from datetime import UTC, datetime

import pytest
from django.test import Client

from apps.accounts.models import Role
from apps.bodies.models import BodyPolicy, CustomerBodyPolicy, StoredBodies
from apps.bodies.services import set_body_policy
from apps.keys.models import DataKey
from tests.bodies.making import stored
from tests.cast import Cast, a_member
from tests.used import a_request

POLICY = {
    "keeps": "both",
    "days": "7",
    "most_kb": "16",
    "hides_emails": "on",
    "open_to": "admin",
    "patterns": "A-\\d+\nB",
}
ATTACK = '</pre><script>alert(1)</script><img src=x onerror="alert(2)">'


@pytest.fixture
def olivia(client: Client, cast: Cast) -> Client:
    client.force_login(cast.olivia)
    return client


def url_of(request) -> str:
    return f"/console/requests/{request.id}/bodies/"


def views(cast: Cast) -> int:
    return cast.acme.audit_events.filter(action="request_body.view").count()


def test_a_policy_is_set_and_shown(olivia: Client, cast: Cast):
    assert b"No bodies are stored." in olivia.get("/console/settings/bodies/").content
    assert olivia.post("/console/settings/bodies/", POLICY).status_code == 302
    policy = BodyPolicy.objects.get(organization=cast.acme)
    assert (policy.keeps, policy.days, policy.most_kb, policy.patterns) == ("both", 7, 16, ["A-\\d+", "B"])
    assert (policy.hides_emails, policy.hides_cards, policy.is_open_to_customers) == (True, False, False)
    assert b"A-\\d+\nB</textarea>" in olivia.get("/console/settings/bodies/").content


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("patterns", "(a+)+b", b"could match"),
        ("patterns", "[", b"Not a regular expression"),
        ("patterns", "\n".join(f"a{n}" for n in range(21)), b"At most 20 patterns"),
        ("most_kb", "300", b"256"),
        ("days", "8", b"Select a valid choice"),
    ],
)
def test_what_cannot_be_is_told_and_nothing_is_changed(olivia: Client, cast: Cast, field, value, told):
    answer = olivia.post("/console/settings/bodies/", POLICY | {field: value})
    assert (answer.status_code, told in answer.content) == (200, True)
    assert not BodyPolicy.objects.exists()


def test_a_customers_policy_is_narrowed(olivia: Client, cast: Cast):
    set_body_policy(cast.acme, by=None, keeps="both", days=30)
    url = f"/console/customers/{cast.globex.pk}/bodies/"
    assert b"as in your settings: 30" in olivia.get(url).content
    assert olivia.post(url, {"keeps": "requests", "days": "7", "most_kb": "", "patterns": ""}).status_code == 302
    own = CustomerBodyPolicy.objects.get(customer=cast.globex)
    assert (own.keeps, own.days, own.most_kb, own.patterns) == ("requests", 7, None, [])
    assert olivia.post(url, {"keeps": "nothing", "days": "90"}).status_code == 200  # longer is no choice


def test_a_look_opens_the_bodies_and_is_noted(olivia: Client, cast: Cast):
    request = stored(cast.globex, request='{"messages":[{"content":"Grüß Gott"}]}')
    before = olivia.get(url_of(request)).content.decode()
    assert "Grüß" not in before
    assert "Show them" in before
    assert views(cast) == 0
    after = olivia.post(url_of(request)).content.decode()
    assert "Grüß Gott" in after
    assert views(cast) == 1


def test_the_page_of_a_request_leads_there_where_there_is_something(olivia: Client, cast: Cast):
    with_bodies, without = stored(cast.globex), a_request(cast.globex, datetime.now(UTC))
    assert url_of(with_bodies) in olivia.get(f"/console/requests/{with_bodies.id}/").content.decode()
    assert url_of(without) not in olivia.get(f"/console/requests/{without.id}/").content.decode()
    assert b"Nothing is stored" in olivia.post(url_of(without)).content
    assert views(cast) == 0


@pytest.mark.parametrize("as_events", [False, True])
def test_what_strangers_wrote_is_only_ever_text(olivia: Client, cast: Cast, as_events):
    said = json.dumps({"choices": [{"index": 0, "delta": {"content": ATTACK}}]})
    answer = f"data: {said}\n\n" if as_events else ATTACK
    request = stored(cast.globex, request=json.dumps({"a": ATTACK}), answer=answer, answer_type=b"text/plain")
    page = olivia.post(url_of(request))
    assert b"<script>alert" not in page.content
    assert b"<img src=x" not in page.content
    assert b"&lt;script&gt;alert(1)" in page.content
    assert "unsafe-inline" not in page.headers["Content-Security-Policy"]


def test_a_streams_words_are_joined_and_its_events_are_there_too(olivia: Client, cast: Cast):
    answer = "".join(f'data: {{"delta":{{"text":"{word}"}},"index":0}}\n\n' for word in ("Good ", "morn", "ing"))
    page = olivia.post(url_of(stored(cast.globex, answer=answer, answer_type=b"text/event-stream"))).content.decode()
    assert '<pre tabindex="0">Good morning</pre>' in page
    assert "morn&quot;" in page


ROLES = [  # who may, a member's role, what they get
    ("admin", Role.OWNER, 200),
    ("admin", Role.ADMIN, 200),
    ("admin", Role.BILLING, 403),
    ("admin", Role.VIEWER, 403),
    ("owner", Role.ADMIN, 403),
    ("viewer", Role.VIEWER, 200),
]


@pytest.mark.parametrize(("open_to", "role", "status"), ROLES)
def test_only_those_who_may_read_them_do(client: Client, cast: Cast, open_to, role, status):
    set_body_policy(cast.acme, by=None, keeps="both", open_to=open_to)
    request = stored(cast.globex)
    client.force_login(a_member(cast.acme, role).user)
    assert client.get(url_of(request)).status_code == status
    assert client.post(url_of(request)).status_code == status
    assert views(cast) == (status == 200)
    shown = client.get(f"/console/requests/{request.id}/").content.decode()
    assert (url_of(request) in shown) is (status == 200)


def test_another_operators_are_not_there(client: Client, cast: Cast):
    request = stored(cast.globex)
    client.force_login(cast.mallory)
    assert client.post(url_of(request)).status_code == 404
    assert views(cast) == 0


def test_erasing(olivia: Client, cast: Cast):
    globexs, initechs = stored(cast.globex), stored(cast.initech)
    assert olivia.post(f"/console/customers/{cast.globex.pk}/bodies/erase/").status_code == 302
    assert b"Nothing is stored" in olivia.post(url_of(globexs)).content
    assert b"Hello." in olivia.post(url_of(initechs)).content
    assert olivia.post("/console/settings/bodies/erase/").status_code == 302
    assert b"Nothing is stored" in olivia.post(url_of(initechs)).content
    assert cast.acme.audit_events.filter(action="request_body.erase").count() == 2


def test_what_does_not_open_is_told(olivia: Client, cast: Cast):
    request = stored(cast.globex)
    DataKey.objects.update(wrapped_key=b"\0" * 60)
    assert b"does not open" in olivia.post(url_of(request)).content
    StoredBodies.objects.all().delete()
    assert views(cast) == 0
