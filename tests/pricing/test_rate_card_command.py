"""manage.py rate_card: files in, cards out."""

import json
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from apps.pricing.card_book import default_card, layers_of
from apps.pricing.models import RateCard, RateCardVersion
from tests.cast import Cast

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
RULES = [
    {"match": "gpt-5*", "mode": "absolute", "rates": {"input": "1.5", "output": "12"}, "units": {"web_search": "0.02"}},
    {"match": "*", "mode": "cost_plus", "markup_percent": "20", "markups": {"output": "30"}},
]
CSV = """\
match,mode,markup_percent,input,output,web_search,floor
gpt-5*,absolute,,1.50,12,0.02,
*,cost_plus,20,,30,,
"""


@pytest.fixture(autouse=True)
def at_noon(time_machine):
    time_machine.move_to(NOW, tick=False)


def run(*arguments: str) -> dict:
    out = StringIO()
    call_command("rate_card", *arguments, "--organization", "acme", "--json", stdout=out)
    return json.loads(out.getvalue())


@pytest.fixture
def file(tmp_path: Path):
    """A file with this text."""

    def written(text: str, name: str = "rules.json") -> str:
        path = tmp_path / name
        path.write_text(text)
        return str(path)

    return written


FILES = [
    pytest.param(json.dumps(RULES), "rules.json", id="json"),
    pytest.param(json.dumps({"rules": RULES}).replace('"1.5"', "1.50"), "rules.json", id="an object, and a number"),
    pytest.param(CSV, "rules.csv", id="csv"),
]


@pytest.mark.parametrize(("text", "name"), FILES)
def test_a_card_is_made_of_a_file_and_shown(cast: Cast, file, text, name):
    told = run("Retail", "--file", file(text, name), "--note", "spring", "--default")
    assert told["versions"] == [
        {"number": 1, "effective_from": "2026-03-10T12:00:00Z", "note": "spring", "rules": RULES}
    ]
    assert run("Retail") == told
    assert run() == {"rate_cards": [told]}
    assert str(default_card(cast.acme.pk, NOW)) == "Retail"


def test_other_rules_are_a_new_version_and_the_same_are_none(cast: Cast, file):
    first = file(json.dumps(RULES))
    run("Retail", "--file", first)
    run("Retail", "--file", first, "--from", "2026-03-11T00:00:00Z")
    assert RateCardVersion.objects.count() == 1
    told = run("Retail", "--file", file(json.dumps(RULES[:1])), "--from", "2026-04-01T00:00:00+02:00")
    assert [version["effective_from"] for version in told["versions"]] == [
        "2026-03-10T12:00:00Z",
        "2026-03-31T22:00:00Z",
    ]


def test_a_customers_own_rates_and_its_card(cast: Cast, file):
    with pytest.raises(CommandError, match="no rates of its own"):
        run("--customer", "globex")
    run("--customer", "globex", "--file", file(json.dumps(RULES[:1])))
    run("Retail", "--customer", str(cast.globex.pk), "--file", file(json.dumps(RULES[1:])))
    own, card, _plan, default = layers_of(cast.globex, NOW)
    assert (own.card.customer, str(card), default) == (cast.globex, "Retail", None)
    assert run("--customer", "globex")["versions"][0]["rules"] == RULES[:1]


WRONG = [  # arguments, a file's text and name, and what is said
    pytest.param(["Retail"], None, "", "no rate card “Retail”", id="no card"),
    pytest.param(["Retail", "--customer", "shady"], None, "", "no customer “shady”", id="another's customer"),
    pytest.param(["--customer", "globex", "--default"], None, "", "Name the card", id="a default without a name"),
    pytest.param(["Retail"], "{", "rules.json", "is no JSON", id="no JSON"),
    pytest.param(["Retail"], '{"rules": 1}', "rules.json", "no list of rules", id="no list"),
    pytest.param(["Retail"], '[{"match": "*"}]', "rules.json", "Rule 1: its mode", id="no rule"),
    pytest.param(["Retail"], "match,mode,hug\n*,absolute,1", "rules.csv", "under hug", id="an unknown column"),
    pytest.param(["Retail", "--from", "2026-04-01"], "[]", "rules.json", "with its zone", id="no instant"),
]


@pytest.mark.parametrize(("arguments", "text", "name", "said"), WRONG)
def test_what_is_wrong_is_said_and_nothing_is_saved(cast: Cast, file, arguments, text, name, said):
    given = ["--file", file(text, name)] if text is not None else []
    with pytest.raises(CommandError, match=said):
        run(*arguments, *given)
    assert not RateCard.objects.exists()


def test_a_file_that_is_not_there(cast: Cast, tmp_path):
    with pytest.raises(CommandError, match="cannot be read"):
        run("Retail", "--file", str(tmp_path / "none.json"))
