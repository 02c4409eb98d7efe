from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from apps.keys.checking import check_provider_key

SECRET = "sk-canary-5f0e8d7c6b5a"


class Provider(ThreadingHTTPServer):
    """A provider that answers `status`, and remembers what it was asked."""

    status = 200

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.asked: list[tuple[str, dict[str, str]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        self.send_response(self.server.status)
        self.send_header("Location", self.server.url + "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("slug", "path", "header", "value"),
    [
        ("openai", "/models", "authorization", f"Bearer {SECRET}"),
        ("vllm", "/models", "authorization", f"Bearer {SECRET}"),
        ("anthropic", "/v1/models", "x-api-key", SECRET),
        ("google", "/v1beta/models", "x-goog-api-key", SECRET),
    ],
)
def test_each_protocol_is_asked_for_its_models(provider, slug, path, header, value):
    assert check_provider_key(slug, f" {SECRET}\n", base_url=provider.url + "/").is_good
    ((asked_path, headers),) = provider.asked
    assert (asked_path, headers[header]) == (path, value)


@pytest.mark.parametrize(
    ("slug", "status", "message"),
    [
        ("openai", 401, "OpenAI does not accept this key (status 401)."),
        ("anthropic", 403, "Anthropic does not accept this key (status 403)."),
        ("google", 400, "Google Gemini does not accept this key (status 400)."),
        ("openai", 400, "OpenAI did not say whether the key is good (status 400)."),
        ("openai", 500, "OpenAI did not say whether the key is good (status 500)."),
        ("openai", 302, "OpenAI did not say whether the key is good (status 302)."),
    ],
)
def test_what_the_provider_says_is_told(provider, slug, status, message):
    provider.status = status
    assert check_provider_key(slug, SECRET, base_url=provider.url) == (False, message)
    assert len(provider.asked) == 1  # a redirect is not followed


def test_a_netrc_does_not_replace_the_key(provider, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    check_provider_key("openai", SECRET, base_url=provider.url)
    assert provider.asked[0][1]["authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://[::1", "nonsense"])
def test_what_cannot_be_reached_is_told_without_the_secret(url):
    check = check_provider_key("vllm", SECRET, base_url=url)
    assert not check.is_good
    assert check.message.startswith(f"vllm does not answer at {url}")
    assert SECRET not in check.message


def test_a_provider_that_nobody_knows_has_to_be_told_where_it_is():
    assert check_provider_key("vllm", SECRET).message == "Give the base URL that calls to vllm go to."
