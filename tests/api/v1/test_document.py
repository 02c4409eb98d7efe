"""The document: complete, valid, and served with a page that loads nothing from elsewhere."""

import io
import re

import pytest
import yaml
from django.core.management import call_command
from django.test import Client
from django.urls import URLPattern, get_resolver

from apps.api.v1.document import _made, document
from apps.keys.api_scopes import ApiScope
from tests.cast import at_once

METHODS = ("get", "post", "put", "patch", "delete")


@pytest.fixture(scope="module")
def told() -> dict:
    return yaml.safe_load(document("yaml")[0])


def operations(told: dict):
    for path, methods in told["paths"].items():
        for method in METHODS:
            if method in methods:
                yield f"{method} {path}", methods[method]


def test_it_is_valid_and_without_warnings():
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=io.StringIO())


def test_it_is_openapi_3_1_of_version_1(told):
    assert told["openapi"].startswith("3.1")
    assert told["info"]["version"] == "1"
    assert all(path.startswith("/api/v1/") for path in told["paths"])


def test_every_address_is_in_it(told):
    """But for the last, which is for all that are none."""
    *addresses, last = get_resolver("apps.api.v1.urls").url_patterns
    assert isinstance(last, URLPattern)
    assert last.name == "nothing"
    paths = {re.sub(r"<\w+:(\w+)>", r"{\1}", f"/api/v1/{address.pattern}") for address in addresses}
    assert paths == set(told["paths"])


def test_every_operation_says_what_it_is_for_needs_and_answers(told):
    scopes = {scope.value for scope in ApiScope}
    for name, operation in operations(told):
        assert operation["summary"], name
        assert len(operation["description"]) > 20, name
        [[needed]] = [next(iter(requirement.values())) for requirement in operation["security"]]
        assert needed in scopes, name
        assert f"`{needed}`" in operation["description"], name
        answers = operation["responses"]
        assert {"400", "401", "403", "429", "503"} <= set(answers), name
        for status, answer in answers.items():
            contents = answer.get("content", {})
            if status >= "400":
                assert list(contents) == ["application/problem+json"], name
            for kind, content in contents.items():
                if kind.endswith("json") and "ndjson" not in kind:
                    assert content.get("examples"), (name, status)
        for parameter in operation.get("parameters", ()):
            assert parameter["schema"], name


def test_names_of_operations_are_one_each(told):
    names = [operation["operationId"] for _, operation in operations(told)]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)+", name) for name in names)


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_it_is_served_to_anybody_and_not_twice(client: Client, form):
    answer = client.get(f"/api/v1/openapi.{form}")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("application/vnd.oai.openapi")
    again = client.get(f"/api/v1/openapi.{form}", headers={"if-none-match": answer.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_the_page_loads_nothing_from_elsewhere_and_runs_nothing_inline(client: Client):
    answer = client.get("/api/docs/")
    assert answer.status_code == 200
    text = answer.content.decode()
    loaded = re.findall(r'(?:src|href)="([^"]+)"', text)
    assert loaded
    assert all(address.startswith("/") for address in loaded)
    assert not re.findall(r"<script(?![^>]*\bsrc=)|<style|style=|\bon\w+=", text)
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]


def test_two_who_ask_at_once_get_the_same_one():
    """Made once: drf-spectacular looks its classes up in place, and two at it fail."""
    _made.cache_clear()
    first, *others = at_once(4, lambda: document("json"))
    assert all(each is first for each in others)
