"""A provider's own bill against what was metered: what agrees is silent, and each planted gap is named."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from apps.billing.errors import NotPossible
from apps.billing.reconciling.comparing import compare, family_of
from apps.billing.reconciling.exports import read_export
from apps.customers.models import Customer
from tests.cast import Cast
from tests.used import a_request, an_hour

D = Decimal
OPENAI_COSTS = (
    "start_time,end_time,start_time_iso,end_time_iso,amount_value,amount_currency,quantity,quantity_unit,line_item,"
    "user_id,api_key_id,project_id,organization_id,project_name,organization_name,user_email,api_source"
)
OPENAI_USAGE = (
    "start_time,end_time,start_time_iso,end_time_iso,input_tokens,output_tokens,input_cached_tokens,"
    "num_model_requests,project_id,model,batch"
)
ANTHROPIC_USAGE = (
    "usage_date_utc,model_version,api_key,workspace,usage_type,context_window,usage_input_tokens_no_cache,"
    "usage_input_tokens_cache_write_5m,usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,"
    "usage_output_tokens,web_search_count,inference_geo,speed"
)
ANTHROPIC_COSTS = (
    "usage_date_utc,model,workspace,api_key,usage_type,context_window,token_type,cost_usd,list_price_usd,cost_type"
)
DAY = date(2026, 10, 3)


def at(hour: int, day: int = 3) -> datetime:
    return datetime(2026, 10, day, hour, tzinfo=UTC)


def seconds(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def openai_cost(amount: str, item: str, day: date = DAY) -> str:
    start, end = seconds(day), seconds(day + timedelta(days=1))
    return f'{start},{end},{day}T00:00:00+00:00,,{amount},usd,,,"{item}",,,proj_a,org-1,A,Acme,,'


def openai_usage(model: str, given: int, made: int, cached: int = 0, day: date = DAY) -> str:
    return f"{seconds(day)},,{day}T00:00:00+00:00,,{given},{made},{cached},10,proj_a,{model},false"


def anthropic_usage(model: str, *tokens: int, day: date = DAY) -> str:
    return f"{day},{model},key,Default,standard,≤ 200k,{','.join(map(str, tokens))},0,global,standard"


def reconcile(customer: Customer, tmp_path, provider: str, *lines: str, **options) -> tuple[int, dict]:
    """The command's exit code and what it told."""
    file, out = tmp_path / "export.csv", StringIO()
    file.write_text("\ufeff" + "\n".join(lines) + "\n", encoding="utf-8")
    try:
        call_command(
            "reconcile",
            organization=customer.organization.slug,
            provider=provider,
            file=file,
            json=True,
            stdout=out,
            **options,
        )
        code = 0
    except SystemExit as ended:
        code = int(str(ended.code))
    return code, json.loads(out.getvalue())


def named(told: dict) -> list[tuple[str, str, str, str, str]]:
    return [
        (each["day"], each["model"], each["measure"], each["what"], each["difference"]) for each in told["differences"]
    ]


def test_openais_costs_agree_by_model_whatever_they_are_made_of(cast: Cast, tmp_path):
    an_hour(cast.globex, at(9), model="gpt-5-nano", cost=D("0.75"))
    an_hour(cast.initech, at(10), model="gpt-5-nano", cost=D("0.5"))
    lines = [
        openai_cost("0.5", "gpt-5-nano, input_tokens"),
        openai_cost("0.75", "gpt-5-nano, output_tokens"),
        openai_cost("", "", date(2026, 10, 4)),  # a day without usage
    ]
    code, told = reconcile(cast.globex, tmp_path, "openai", OPENAI_COSTS, *lines)
    assert (code, told["equal"], told["differences"], told["compared"]) == (0, True, [], ["cost"])
    assert (told["billed"], told["metered"], told["since"]) == ({"cost": "1.25"}, {"cost": "1.25"}, "2026-10-03")


def test_each_planted_gap_is_named(cast: Cast, tmp_path):
    """A model that we charged less for, one that went past us, one that the provider forgot, and a missing day."""
    an_hour(cast.globex, at(9), model="gpt-5-nano", cost=D("1.20"))
    an_hour(cast.globex, at(9), model="gpt-4o", cost=D("3"))
    lines = [
        openai_cost("1.25", "gpt-5-nano, input_tokens"),
        openai_cost("7", "o3, output"),
        openai_cost("2", "gpt-5-nano, input_tokens", date(2026, 10, 4)),
    ]
    code, told = reconcile(cast.globex, tmp_path, "openai", OPENAI_COSTS, *lines)
    assert (code, told["equal"]) == (1, False)
    assert named(told) == [
        ("2026-10-03", "gpt-5-nano", "cost", "differs", "0.05"),
        ("2026-10-03", "gpt-4o", "cost", "not billed", "-3"),
        ("2026-10-03", "o3", "cost", "not metered", "7"),
        ("2026-10-04", "gpt-5-nano", "cost", "not metered", "2"),
    ]


def test_a_cost_may_differ_by_a_cent_and_not_by_more(cast: Cast, tmp_path):
    an_hour(cast.globex, at(9), model="o3", cost=D("1.234"))
    assert reconcile(cast.globex, tmp_path, "openai", OPENAI_COSTS, openai_cost("1.244", "o3, input"))[0] == 0
    assert reconcile(cast.globex, tmp_path, "openai", OPENAI_COSTS, openai_cost("1.2441", "o3, input"))[0] == 1
    wanted = {"tolerance": D(0)}
    assert reconcile(cast.globex, tmp_path, "openai", OPENAI_COSTS, openai_cost("1.244", "o3, in"), **wanted)[0] == 1


def test_openais_input_has_what_was_cached_and_its_output_what_was_reasoned(cast: Cast, tmp_path):
    tokens = {"input_tokens": 700, "cache_read_tokens": 300, "output_tokens": 150, "reasoning_tokens": 50}
    an_hour(cast.globex, at(9), model="gpt-5-nano-2025-08-07", **tokens)
    line = openai_usage("gpt-5-nano-2025-08-07", 1000, 200, 300)
    code, told = reconcile(cast.globex, tmp_path, "openai", OPENAI_USAGE, line)
    assert (code, told["compared"]) == (0, ["input", "cache_read", "output"])
    line = openai_usage("gpt-5-nano-2025-08-07", 1001, 200, 300)
    code, told = reconcile(cast.globex, tmp_path, "openai", OPENAI_USAGE, line)
    assert (code, named(told)) == (1, [("2026-10-03", "gpt-5-nano-2025-08-07", "input", "differs", "1")])


def test_anthropic_counts_each_kind_apart(cast: Cast, tmp_path):
    tokens = {
        "input_tokens": 10,
        "cache_write_5m_tokens": 20,
        "cache_write_1h_tokens": 5,
        "cache_read_tokens": 30,
        "output_tokens": 40,
    }
    an_hour(cast.globex, at(9), provider="anthropic", model="claude-haiku-4-5-20251001", **tokens)
    line = anthropic_usage("claude-haiku-4-5-20251001", 10, 20, 5, 30, 40)
    assert reconcile(cast.globex, tmp_path, "anthropic", ANTHROPIC_USAGE, line)[0] == 0
    line = anthropic_usage("claude-haiku-4-5-20251001", 10, 20, 6, 30, 39)
    code, told = reconcile(cast.globex, tmp_path, "anthropic", ANTHROPIC_USAGE, line)
    assert code == 1
    assert [each[2:] for each in named(told)] == [("cache_write", "differs", "1"), ("output", "differs", "-1")]


def test_anthropics_costs_call_models_by_their_names(cast: Cast, tmp_path):
    an_hour(cast.globex, at(9), provider="anthropic", model="claude-haiku-4-5-20251001", cost=D("0.07"))
    lines = [
        "2026-10-03,Claude Haiku 4.5,Default,key,message,≤ 200k,input_no_cache,0.05,0.05,token",
        "2026-10-03,Claude Haiku 4.5,Default,key,message,≤ 200k,output,0.02,0.02,token",
    ]
    assert reconcile(cast.globex, tmp_path, "anthropic", ANTHROPIC_COSTS, *lines)[0] == 0


ZONES = [
    pytest.param("UTC", id="utc"),
    pytest.param("America/New_York", id="its-day-begins-four-hours-later"),
    pytest.param("Asia/Kolkata", id="half-hours"),
]


@pytest.mark.parametrize("zone", ZONES)
def test_days_are_those_of_utc_whatever_the_organizations_are(cast: Cast, tmp_path, zone: str):
    """One call just before midnight of UTC, one just after."""
    cast.acme.time_zone = zone
    cast.acme.save()
    for moment, cost in (
        (datetime(2026, 10, 3, 23, 50, tzinfo=UTC), D(1)),
        (datetime(2026, 10, 4, 0, 10, tzinfo=UTC), D(2)),
    ):
        if zone == "Asia/Kolkata":  # its hours begin at half past: they have no midnight of UTC
            a_request(cast.globex, moment, model="o3", model_served="o3", cost=cost)
        else:
            an_hour(cast.globex, moment.replace(minute=0), model="o3", cost=cost)
    lines = [openai_cost("1", "o3, input"), openai_cost("2", "o3, input", date(2026, 10, 4))]
    code, told = reconcile(cast.globex, tmp_path, "openai", OPENAI_COSTS, *lines)
    assert (code, told["differences"]) == (0, [])


def test_only_the_days_that_were_asked_for_count(cast: Cast, tmp_path):
    an_hour(cast.globex, at(9), model="o3", cost=D(1))
    an_hour(cast.globex, at(9, 5), model="o3", cost=D(9))  # not in the file's days
    lines = [openai_cost("1", "o3, input"), openai_cost("5", "o3, input", date(2026, 10, 4))]
    wanted = {"since": DAY, "until": DAY}
    assert reconcile(cast.globex, tmp_path, "openai", OPENAI_COSTS, *lines, **wanted)[0] == 0
    assert reconcile(cast.globex, tmp_path, "openai", OPENAI_COSTS, *lines)[0] == 1


def test_another_organizations_usage_is_not_compared(cast: Cast, tmp_path):
    an_hour(cast.shady, at(9), model="o3", cost=D(1))
    code, told = reconcile(cast.globex, tmp_path, "openai", OPENAI_COSTS, openai_cost("1", "o3, input"))
    assert (code, named(told)) == (1, [("2026-10-03", "o3", "cost", "not metered", "1")])


def test_a_bill_without_models_is_compared_by_the_day(cast: Cast, tmp_path):
    an_hour(cast.globex, at(9), model="o3", cost=D(1))
    an_hour(cast.globex, at(9), model="gpt-4o", cost=D(2))
    assert reconcile(cast.globex, tmp_path, "openai", OPENAI_COSTS, openai_cost("3", ""))[0] == 0
    code, told = reconcile(cast.globex, tmp_path, "openai", OPENAI_COSTS, openai_cost("4", ""))
    assert (code, named(told)) == (1, [("2026-10-03", "", "cost", "differs", "1")])


def test_what_makes_no_sense_is_told_and_nothing_is_proved(cast: Cast, tmp_path):
    an_hour(cast.globex, at(9), model="o3", cost=D(1))
    lines = [openai_cost("1", "o3, input"), openai_cost("a lot", "o3, input"), "yesterday,,,,5,usd,,,o3,,,,,,,,"]
    lines.append(openai_cost("1", "o3, input").replace("usd", "eur"))
    code, told = reconcile(cast.globex, tmp_path, "openai", OPENAI_COSTS, *lines)
    assert (code, told["differences"]) == (1, [])
    assert told["not_understood"] == [
        "line 3: not a number: a lot",
        "line 4: not a day: yesterday",
        "line 5: an amount in EUR: only US dollars can be compared",
    ]


def test_a_file_of_something_else_is_refused(cast: Cast, tmp_path):
    with pytest.raises(CommandError, match="no export of openai that we know: its columns are name, email"):
        reconcile(cast.globex, tmp_path, "openai", "Name,Email", "Ada,ada@example.com")
    with pytest.raises(NotPossible, match="its columns are none"):
        read_export("anthropic", [])


FAMILIES = [
    ("gpt-4o-2024-08-06", "gpt-4o"),
    ("Claude Haiku 4.5", "claude-haiku-4-5"),
    ("claude-haiku-4-5-20251001", "claude-haiku-4-5"),
    ("claude-3-7-sonnet-latest", "claude-3-7-sonnet"),
    ("gpt-4.1-mini", "gpt-4.1-mini"),
    ("claude-sonnet-4@20250514", "claude-sonnet-4"),
]


@pytest.mark.parametrize(("model", "family"), FAMILIES)
def test_versions_of_a_model_are_of_its_family(model: str, family: str):
    assert family_of(model) == family


def test_versions_are_compared_each_where_both_name_them():
    """What one lacks, the other doesn't make up for."""
    billed = {(DAY, "gpt-4o-2024-05-13"): {"cost": D(5)}, (DAY, "gpt-4o-2024-08-06"): {"cost": D(1)}}
    metered = {(DAY, "gpt-4o-2024-05-13"): {"cost": D(1)}, (DAY, "gpt-4o-2024-08-06"): {"cost": D(5)}}
    found = compare(billed, metered, ["cost"])
    assert [(each.model, each.gap) for each in found] == [("gpt-4o-2024-05-13", 4), ("gpt-4o-2024-08-06", -4)]
    assert str(found[0]) == "2026-10-03 gpt-4o-2024-05-13: differs: billed 5, metered 1 (+4) USD"
