"""Any measure by anything: figures of the page and of the file, what is saved, and what customers don't see."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.test import Client

from apps.analyses.faces import analysis
from apps.analyses.models import SavedAnalysis
from apps.analyses.services import MOST, save_analysis
from apps.usage.queries.measures import COSTS, MEASURES
from tests.cast import Cast, a_member, at_once
from tests.pages import rows_of, text_of
from tests.used import a_property_hour, an_hour

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
HOUR = NOW.replace(hour=10)
DAYS = "since=2026-03-09&until=2026-03-10"


@pytest.fixture(autouse=True)
def at_noon(time_machine):
    time_machine.move_to(NOW)


@pytest.fixture
def used(cast: Cast) -> None:
    an_hour(
        cast.globex,
        HOUR,
        end_user="ann",
        model="gpt-secret",
        sold_as="house",
        requests=4,
        cost=Decimal(2),
        price=Decimal(3),
    )
    an_hour(cast.globex, HOUR - timedelta(days=1), end_user="bob", requests=1, cost=Decimal(5), price=Decimal(4))
    a_property_hour(cast.globex, HOUR, "plan", "pro", end_user="ann", requests=4, cost=Decimal(2), price=Decimal(3))
    an_hour(cast.initech, HOUR, end_user="ira-user", requests=2, cost=Decimal(1), price=Decimal(9))
    an_hour(cast.shady, HOUR, end_user="mal", cost=Decimal(100), price=Decimal(100))


def asked(cast: Cast, query: str, customer=None):
    return analysis(QueryDict(query), cast.acme, customer, at=NOW)


def told(found):
    return [(str(row.label), row.shown, row.requests) for row in found.rows]


@pytest.mark.usefixtures("used")
@pytest.mark.parametrize(
    ("query", "rows", "total"),
    [
        ("measure=price&by=customer", [("Initech", "$9.00", 2), ("Globex", "$7.00", 5)], "$16.00"),
        ("measure=margin&by=customer", [("Initech", "$8.00", 2), ("Globex", "$0.00", 5)], "$8.00"),
        ("measure=requests&by=user", [("ann", "4", 4), ("ira-user", "2", 2), ("bob", "1", 1)], "7"),
        ("measure=cost_per_request&by=user", [("bob", "$5.00", 1), ("ann", "$0.5000", 4), ("ira-user", "$0.5000", 2)], "$1.14"),  # noqa: E501
        ("measure=cost&by=property&property=Plan", [("pro", "$2.00", 4)], ""),
        ("measure=price&by=", [("All together", "$16.00", 7)], "$16.00"),
        ("measure=price&by=user&user=ann", [("ann", "$3.00", 4)], "$3.00"),
        ("measure=price&by=model&model=gpt-secret", [("gpt-secret", "$3.00", 4)], "$3.00"),
    ],
)  # fmt: skip
def test_the_most_of_a_measure_comes_first(cast: Cast, query, rows, total):
    found = asked(cast, f"{query}&{DAYS}&step=day")
    assert told(found) == rows
    assert found.total == total


@pytest.mark.usefixtures("used")
def test_a_line_has_a_point_for_each_step(cast: Cast):
    found = asked(cast, f"measure=price&by=customer&step=day&{DAYS}")
    titles = {line.name: [dot.title for dot in line.dots] for line in found.chart.lines}
    assert titles["Globex"] == ["Globex, 9 Mar: $4.00", "Globex, 10 Mar: $3.00"]
    assert titles["Initech"] == ["Initech, 9 Mar: $0.00", "Initech, 10 Mar: $9.00"]


@pytest.mark.usefixtures("used")
def test_hours_of_two_days_and_not_of_a_year(cast: Cast):
    assert asked(cast, f"measure=price&by=user&step=hour&{DAYS}").interval == "hour"
    assert asked(cast, "measure=price&by=user&step=hour&since=2025-03-10&until=2026-03-10").interval == "day"


@pytest.mark.usefixtures("used")
@pytest.mark.parametrize("measure", MEASURES)
def test_each_measure_has_a_page(client: Client, cast: Cast, measure):
    client.force_login(cast.olivia)
    for by in ("", "customer", "user", "model", "key", "provider"):
        answer = client.get(f"/console/analytics/?measure={measure}&by={by}&{DAYS}")
        assert answer.status_code == 200
        assert answer.context["analysis"].title


@pytest.mark.usefixtures("used")
def test_the_file_has_each_step(client: Client, cast: Cast):
    client.force_login(cast.olivia)
    answer = client.get(f"/console/analytics/analysis.csv?measure=price&by=customer&step=day&{DAYS}")
    assert answer.getvalue().decode().splitlines() == [
        "group,start,price",
        "Initech,2026-03-09T00:00:00+00:00,0.000000000000",
        "Initech,2026-03-10T00:00:00+00:00,9.000000000000",
        "Globex,2026-03-09T00:00:00+00:00,4.000000000000",
        "Globex,2026-03-10T00:00:00+00:00,3.000000000000",
    ]


@pytest.mark.usefixtures("used")
def test_a_customer_sees_its_own_as_it_was_sold_and_no_cost(client: Client, cast: Cast):
    client.force_login(cast.gina)
    answer = client.get(f"/portal/analytics/?measure=price&by=model&{DAYS}")
    text = text_of(answer)
    assert "house" in text
    for hidden in ("gpt-secret", "Initech", "ira-user", "mal", "Margin", "Provider"):
        assert hidden not in text.split()
    for measure in COSTS:
        assert not asked(cast, f"measure={measure}&by=model&{DAYS}", cast.globex).title
    for by in ("customer", "provider"):
        assert not asked(cast, f"measure=price&by={by}&{DAYS}", cast.globex).title
    file = client.get(f"/portal/analytics/analysis.csv?measure=cost&{DAYS}")
    assert file.status_code == 302


def test_nonsense_is_said_beside_the_field(client: Client, cast: Cast):
    client.force_login(cast.olivia)
    answer = client.get("/console/analytics/?measure=nonsense&by=property&model=x\x00")
    text = text_of(answer)
    assert "Select a valid choice" in text
    assert "Which one?" in text
    assert "not both" in text


@pytest.mark.usefixtures("used")
def test_what_is_saved_goes_with_the_time(client: Client, cast: Cast):
    client.force_login(cast.olivia)
    client.post("/console/analytics/save/", {"asked": "measure=price&by=user&period=month", "name": " Top users "})
    (saved,) = SavedAnalysis.objects.all()
    assert (saved.name, saved.organization, saved.customer) == ("Top users", cast.acme, None)
    assert saved.asked == {"measure": "price", "by": "user", "period": "month"}
    page = client.get("/console/analytics/?measure=price&by=user&period=month")
    assert "Top users" in text_of(page)
    assert page.context["analysis"].saved[0].is_shown
    client.post(f"/console/analytics/{saved.pk}/remove/")
    assert not SavedAnalysis.objects.exists()


@pytest.mark.parametrize("form", [{"name": "", "asked": "measure=price"}, {"name": "x", "asked": "measure=nonsense"}])
def test_what_makes_no_sense_is_not_saved(client: Client, cast: Cast, form):
    client.force_login(cast.olivia)
    client.post("/console/analytics/save/", form)
    assert not SavedAnalysis.objects.exists()


def test_a_name_is_used_once_and_by_each_customer_for_itself(cast: Cast):
    for customer, measure in [(None, "cost"), (None, "price"), (cast.globex, "requests"), (cast.initech, "tokens")]:
        save_analysis(cast.acme, customer, name="Mine", asked={"measure": measure}, by=cast.olivia)
    kept = SavedAnalysis.objects.order_by("created_at").values_list("customer__name", "asked__measure")
    assert list(kept) == [(None, "price"), ("Globex", "requests"), ("Initech", "tokens")]


def test_there_are_not_more_than_fit_on_the_page(cast: Cast):
    for number in range(MOST):
        save_analysis(cast.acme, None, name=f"Analysis {number}", asked={}, by=None)
    with pytest.raises(ValidationError, match="remove one first"):
        save_analysis(cast.acme, None, name="One more", asked={}, by=None)
    save_analysis(cast.acme, None, name="Analysis 7", asked={"measure": "cost"}, by=None)
    assert SavedAnalysis.objects.count() == MOST


@pytest.mark.django_db(transaction=True)
def test_saved_by_ten_at_once_it_is_one(cast: Cast):
    at_once(10, lambda: save_analysis(cast.acme, None, name="Mine", asked={}, by=None))
    assert SavedAnalysis.objects.count() == 1


def test_with_nothing_there_is_a_page_that_says_so(client: Client, cast: Cast):
    client.force_login(a_member(cast.acme).user)
    answer = client.get("/console/analytics/")
    assert "Nothing in this period." in text_of(answer)
    assert rows_of(answer) == []
