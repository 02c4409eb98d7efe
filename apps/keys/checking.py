"""Asking a provider whether a key is good, before calls are sent with it."""

from typing import NamedTuple

import requests

from apps.keys.providers import base_url_of, label_of, wire_of

PATIENCE_S = (3.05, 10)  # to connect, to answer
ANTHROPIC_VERSION = "2023-06-01"


class Check(NamedTuple):
    """What the provider said."""

    is_good: bool
    message: str


def check_provider_key(provider: str, secret: str, *, base_url: str = "") -> Check:
    """Ask for the provider's list of models, which costs nothing, with `secret`.

    Never raises for what the network or the provider does, and follows no redirect: the secret goes to the
    host it is for. The message never has the secret in it.
    """
    url = base_url_of(provider, base_url.strip().rstrip("/"))
    if not url:
        return Check(False, f"Give the base URL that calls to {label_of(provider)} go to.")
    path, headers = _question(provider, secret.strip())
    try:
        answer = requests.get(
            url + path,
            headers=headers,
            auth=_as_it_is,
            timeout=PATIENCE_S,
            allow_redirects=False,
            stream=True,
        )
    except (requests.RequestException, ValueError) as error:
        return Check(False, f"{label_of(provider)} does not answer at {url}: {type(error).__name__}.")
    answer.close()
    return _verdict(provider, answer.status_code)


def _question(provider: str, secret: str) -> tuple[str, dict[str, str]]:
    wire = wire_of(provider)
    if wire == "anthropic":
        return "/v1/models", {"x-api-key": secret, "anthropic-version": ANTHROPIC_VERSION}
    if wire == "gemini":
        return "/v1beta/models", {"x-goog-api-key": secret}
    if wire == "azure":
        return "/openai/v1/models", {"api-key": secret}
    return "/models", {"Authorization": f"Bearer {secret}"}


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Without an `auth`, a ~/.netrc with the host in it would replace the key."""
    return request


def _verdict(provider: str, status: int) -> Check:
    name = label_of(provider)
    if status in (401, 403) or (status == 400 and wire_of(provider) == "gemini"):  # Gemini's for a bad key
        return Check(False, f"{name} does not accept this key (status {status}).")
    if status >= 300:
        return Check(False, f"{name} did not say whether the key is good (status {status}).")
    return Check(True, f"{name} accepts this key.")
