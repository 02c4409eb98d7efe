"""Programs with tokens: of Acme, and of its customer Globex."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from tests.cast import Cast, an_api_token

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)


class Program:
    """Asks the API with a token."""

    def __init__(self, plain: str) -> None:
        self.plain = plain
        self._client = Client()

    def __call__(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, **query: Any):
        """The answer; `query` is the query string, `body` goes as JSON."""
        return self._client.generic(
            method,
            f"/api/v1/{path}",
            data=b"" if body is None else json.dumps(body),
            content_type="application/json",
            headers={"authorization": f"Bearer {self.plain}"} | (headers or {}),
            query_params=query or None,
        )

    def get(self, path: str, **query: Any) -> Any:
        """What a GET gives, which is expected to go well."""
        answer = self("GET", path, **query)
        assert answer.status_code == 200, answer.content
        return answer.json()

    def does(self, method: str, path: str, body: Any = None, *, key: str = "", status: int = 200, **query: Any) -> Any:
        """What it answers, which is expected to have this status. key: an `Idempotency-Key`."""
        answer = self(method, path, body, headers={"idempotency-key": key} if key else None, **query)
        assert answer.status_code == status, (answer.status_code, answer.content)
        return answer.json() if answer.content else None

    def everything(self, path: str, **query: Any) -> list[Any]:
        """All pages of a list."""
        found, cursor = [], None
        for _ in range(100):
            answer = self.get(path, **query, **({"cursor": cursor} if cursor else {}))
            found += answer["data"]
            cursor = answer["next"]
            if cursor is None:
                return found
        raise AssertionError("no end")


@pytest.fixture
def acmes(cast: Cast) -> Program:
    return Program(an_api_token(cast.acme)[1])


@pytest.fixture
def globexs(cast: Cast) -> Program:
    return Program(an_api_token(cast.acme, cast.globex)[1])


@pytest.fixture
def noon(time_machine):
    """The clock stands."""
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def at_noon(time_machine):
    time_machine.move_to(NOW)
