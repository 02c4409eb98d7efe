"""What an organization may choose to keep, what it is told before, and that it holds."""

import json
from datetime import UTC, date, datetime, timedelta
from io import StringIO

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.core.management.base import CommandError

from apps.usage.expiry import forget_sums
from apps.usage.keeping import Keeping, keeping_of
from apps.usage.keepings import OWN, Loss, in_force, levels, losses, problems, set_keeping
from apps.usage.models import DailyTotal, HourlyUsage
from tests.cast import Cast, reread
from tests.used import a_request, an_hour

AT = datetime(2026, 6, 20, 12, tzinfo=UTC)
NOTHING = dict.fromkeys(OWN)
USUAL = {"most_end_users": 1000, "most_property_values": 500, "requests_days": 0, "hours_days": 0, "days_days": 0}


@pytest.fixture(autouse=True)
def usual(settings):
    settings.USAGE_KEEPING = dict(USUAL)


CHOSEN = [  # by the installation, own before, wanted, and what is wrong with it
    ({}, {}, {"most_end_users": 1}, []),
    ({}, {}, {"most_end_users": 0}, ["most_end_users"]),
    ({}, {}, {"most_end_users": 1000, "most_property_values": 501}, ["most_property_values"]),
    ({}, {"most_end_users": 5000}, {"most_end_users": 4000}, []),  # was given more
    ({}, {"most_end_users": 5000}, {"most_end_users": 5001}, ["most_end_users"]),
    ({}, {}, {"requests_days": 31, "hours_days": 31, "days_days": 400}, []),
    ({}, {}, {"requests_days": 30, "hours_days": 30, "days_days": 399}, ["requests_days", "hours_days", "days_days"]),
    ({}, {"hours_days": 7}, {"hours_days": 7, "most_end_users": 9}, []),  # as it was given
    ({}, {}, {"days_days": 400}, ["days_days"]),  # while hours are kept for ever
    ({}, {}, {"hours_days": 401, "days_days": 400}, ["days_days"]),
    ({}, {}, {"hours_days": 400, "days_days": 400}, []),
    ({"hours_days": 90}, {}, {"days_days": 400}, []),
    ({"hours_days": 90}, {}, {"hours_days": 91}, ["hours_days"]),
    ({"hours_days": 90, "days_days": 400}, {"hours_days": 90}, {"hours_days": None}, []),
    ({"hours_days": 0, "days_days": 400}, {}, {"most_end_users": 3}, []),  # that is the installation's doing
]


@pytest.mark.parametrize(("given", "own", "wanted", "wrong"), CHOSEN)
def test_what_may_be_chosen(settings, given, own, wanted, wrong):
    settings.USAGE_KEEPING = USUAL | given
    assert list(problems(NOTHING | own | wanted, NOTHING | own)) == wrong


def test_a_choice_holds_and_is_in_the_audit_log(cast: Cast):
    set_keeping(cast.acme, by=cast.olivia, most_end_users=10, hours_days=60)
    assert (keeping_of(cast.acme.pk).most_end_users, keeping_of(cast.acme.pk).hours_days) == (10, 60)
    assert keeping_of(cast.evil_corp.pk).most_end_users == 1000
    event = cast.acme.audit_events.get(action="keeping.update")
    assert event.changes == {"most_end_users": [None, 10], "hours_days": [None, 60]}
    assert event.actor_label == cast.olivia.email
    set_keeping(cast.acme, by=cast.olivia, most_end_users=10)  # the same again is no change
    assert cast.acme.audit_events.filter(action="keeping.update").count() == 1
    set_keeping(cast.acme, by=cast.olivia, hours_days=None)
    assert keeping_of(cast.acme.pk).hours_days == 0


def test_what_may_not_be_changes_nothing(cast: Cast):
    with pytest.raises(ValidationError) as raised:
        set_keeping(cast.acme, by=None, most_end_users=10, hours_days=5)
    assert raised.value.message_dict == {"hours_days": ["At least 31."]}
    assert not Keeping.objects.exists()
    assert not cast.acme.audit_events.filter(action="keeping.update").exists()
    with pytest.raises(TypeError):
        set_keeping(cast.acme, by=None, hours_since=1)


def test_what_is_forgotten_already_stays_written_down(cast: Cast):
    since = AT - timedelta(days=60)
    Keeping.objects.create(organization=cast.acme, hours_since=since)
    set_keeping(cast.acme, by=None, hours_days=90)
    assert Keeping.objects.get().hours_since == since


def test_what_would_go_is_told_before_and_is_what_goes(cast: Cast):
    for days in (10, 40, 80, 500):
        an_hour(cast.globex, AT - timedelta(days=days))
        a_request(cast.globex, AT - timedelta(days=days))
    an_hour(cast.shady, AT - timedelta(days=600))
    wanted = NOTHING | {"requests_days": 70, "hours_days": 40, "days_days": 400}
    told = losses(cast.acme, wanted, NOTHING, at=AT)
    assert told == [
        Loss("requests_days", date(2025, 2, 5), date(2026, 4, 1)),  # whole months
        Loss("hours_days", date(2025, 2, 5), date(2026, 5, 11)),
        Loss("days_days", date(2025, 2, 5), date(2025, 5, 16)),
    ]
    assert [str(loss.label) for loss in told] == ["Requests", "Hourly sums", "Daily sums"]
    set_keeping(cast.acme, by=None, **wanted)
    forget_sums(at=AT)
    of_acme = {"organization": cast.acme}
    assert HourlyUsage.objects.filter(**of_acme).order_by("hour").first().hour.date() == date(2026, 5, 11)
    assert DailyTotal.objects.filter(**of_acme).order_by("day").first().day.date() == date(2026, 4, 1)
    assert HourlyUsage.objects.filter(organization=cast.evil_corp).count() == 1


def test_nothing_is_told_to_go_that_goes_anyway_or_is_not_there(cast: Cast):
    an_hour(cast.globex, AT - timedelta(days=80))
    own = NOTHING | {"hours_days": 60}
    assert losses(cast.acme, own | {"hours_days": 60}, own, at=AT) == []
    assert losses(cast.acme, own | {"hours_days": 70}, own, at=AT) == []
    assert [loss.name for loss in losses(cast.acme, own | {"hours_days": 50}, own, at=AT)] == ["hours_days"]
    assert losses(cast.acme, NOTHING | {"hours_days": 80}, NOTHING, at=AT) == []  # that day is still of them
    assert losses(cast.initech.organization, NOTHING | {"requests_days": 31}, NOTHING, at=AT) == []


def test_what_is_kept_now(cast: Cast, settings):
    settings.USAGE_KEEPING = USUAL | {"days_days": 900}
    an_hour(cast.globex, AT - timedelta(days=80))
    assert in_force(NOTHING | {"hours_days": 60})["hours_days"] == 60
    told = [(level.days, level.oldest) for level in levels(cast.acme, NOTHING | {"hours_days": 60})]
    assert told == [(0, None), (60, date(2026, 4, 1)), (900, date(2026, 4, 1))]
    assert reread(cast.acme).time_zone == "UTC"


def told(cast: Cast, *options: str) -> dict:
    answer = StringIO()
    call_command("keeping", "--organization", cast.acme.slug, "--json", *options, stdout=answer)
    return json.loads(answer.getvalue())


def test_by_command(cast: Cast, time_machine):
    time_machine.move_to(AT)
    an_hour(cast.globex, AT - timedelta(days=80))
    assert told(cast) == {
        "organization": cast.acme.slug,
        **USUAL,
        "oldest_of_requests": None,
        "oldest_of_hours": "2026-04-01",
        "oldest_of_days": "2026-04-01",
    }
    assert told(cast, "--most-end-users", "7")["most_end_users"] == 7
    with pytest.raises(CommandError, match="Hourly sums from 2026-04-01 until 2026-05-20"):
        told(cast, "--hours-days=31")
    with pytest.raises(CommandError, match="At least 31"):
        told(cast, "--hours-days=5")
    assert keeping_of(cast.acme.pk).hours_days == 0
    assert told(cast, "--hours-days=31", "--delete")["hours_days"] == 31
    assert told(cast, "--hours-days=usual", "--most-end-users=usual")["hours_days"] == 0
    assert cast.acme.audit_events.filter(action="keeping.update").count() == 3
