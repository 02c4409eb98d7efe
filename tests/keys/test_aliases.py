"""Names of an organization's own for models."""

import pytest
from django.core.exceptions import ValidationError

from apps.accounts.models import AuditEvent
from apps.keys.models import ModelAlias
from apps.keys.services.aliases import add_model_alias, delete_model_alias, update_model_alias
from tests.cast import Cast, a_model_alias, reread

REFUSED = [
    pytest.param({"name": "with space"}, "Letters", id="name"),
    pytest.param({"name": 'quo"te'}, "Letters", id="name-that-breaks-json"),
    pytest.param({"name": "line\n"}, "Letters", id="name-with-a-line-end"),
    pytest.param({"model": ""}, "blank", id="model"),
    pytest.param({"provider": "Open AI"}, "Lower-case", id="provider"),
    pytest.param({"forced_parameters": [1]}, "JSON object", id="a-list"),
    pytest.param({"forced_parameters": {"model": "x"}}, "cannot be set", id="the-model-itself"),
    pytest.param({"default_parameters": {"stream": True}}, "cannot be set", id="the-kind-of-answer"),
]


@pytest.mark.parametrize(("wrong", "told"), REFUSED)
def test_what_can_be_no_alias_is_refused(cast: Cast, wrong, told):
    fields = {"name": "house", "provider": "openai", "model": "gpt-4o"} | wrong
    with pytest.raises(ValidationError, match=told):
        add_model_alias(cast.acme, by=cast.olivia, **fields)
    assert not ModelAlias.objects.exists()


def test_a_name_stands_for_one_thing_in_an_organization(cast: Cast):
    a_model_alias(cast.acme, "house")
    a_model_alias(cast.evil_corp, "house")
    with pytest.raises(ValidationError, match="There is a model of this name already"):
        a_model_alias(cast.acme, "house")


def test_every_change_is_on_record(cast: Cast):
    alias = add_model_alias(cast.acme, name="house", provider="openai", model="gpt-4o", by=cast.olivia)
    update_model_alias(alias, by=cast.olivia, model="gpt-5", forced_parameters={"top_p": 1})
    update_model_alias(alias, by=cast.olivia, model="gpt-5")  # no change
    assert reread(alias).model == "gpt-5"
    delete_model_alias(alias, by=cast.olivia)
    events = AuditEvent.objects.filter(action__startswith="model_alias.").order_by("pk")
    assert [(event.action, event.changes) for event in events] == [
        (
            "model_alias.add",
            {
                "name": [None, "house"],
                "provider": [None, "openai"],
                "model": [None, "gpt-4o"],
                "default_parameters": [None, "{}"],
                "forced_parameters": [None, "{}"],
            },
        ),
        ("model_alias.update", {"model": ["gpt-4o", "gpt-5"], "forced_parameters": ["{}", '{"top_p": 1}']}),
        ("model_alias.delete", {}),
    ]
