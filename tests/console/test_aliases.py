"""The operator's page of names for models."""

import pytest
from django.test import Client

from apps.keys.models import ModelAlias
from tests.cast import Cast, a_model_alias, a_provider_key, reread
from tests.pages import rows_of, text_of


@pytest.fixture
def olivia(client: Client, cast: Cast) -> Client:
    client.force_login(cast.olivia)
    return client


def test_a_name_is_added_edited_and_deleted(olivia: Client, cast: Cast):
    a_provider_key(cast.acme, "my-vllm", base_url="http://127.0.0.1:8000/v1")
    typed = {"name": "house-model", "provider": "my-vllm", "model": "llama-70b", "forced_parameters": '{"top_p": 1}'}
    assert olivia.post("/console/models/add/", typed).status_code == 302
    alias = ModelAlias.objects.get()
    assert (alias.organization, alias.default_parameters, alias.forced_parameters) == (cast.acme, {}, {"top_p": 1})
    assert rows_of(olivia.get("/console/models/"))[1] == "house-model my-vllm llama-70b Forced Edit Delete"
    edited = typed | {"model": "llama-8b", "forced_parameters": ""}
    assert olivia.post(f"/console/models/{alias.pk}/edit/", edited).status_code == 302
    assert (reread(alias).model, reread(alias).forced_parameters) == ("llama-8b", {})
    olivia.post(f"/console/models/{alias.pk}/delete/")
    assert not ModelAlias.objects.exists()


WRONG = [
    ({"name": "taken"}, "There is a model of this name already"),
    ({"name": "a b"}, "Letters, digits"),
    ({"default_parameters": "{"}, "Enter a valid JSON"),
    ({"forced_parameters": '{"stream": true}'}, "stream cannot be set"),
    ({"provider": "nobody"}, "Select a valid choice"),
]


@pytest.mark.parametrize(("wrong", "told"), WRONG)
def test_what_is_wrong_is_told(olivia: Client, cast: Cast, wrong, told):
    a_model_alias(cast.acme, "taken")
    typed = {"name": "house", "provider": "openai", "model": "gpt-4o"} | wrong
    assert told in text_of(olivia.post("/console/models/add/", typed))
    assert ModelAlias.objects.count() == 1
