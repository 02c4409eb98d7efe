"""Which server an address means."""

import pytest

from apps.proxy.upstream import Origin

ADDRESSES = [  # as given, its origin, the path after it, what Host says
    ("https://api.openai.com/v1", Origin("https", "api.openai.com", 443), b"/v1", "api.openai.com"),
    ("https://API.OpenAI.com:443/v1/", Origin("https", "api.openai.com", 443), b"/v1", "api.openai.com"),
    ("http://localhost:8080", Origin("http", "localhost", 8080), b"", "localhost:8080"),
    ("http://localhost:80/", Origin("http", "localhost", 80), b"", "localhost"),
    ("https://[::1]:8443/a/b", Origin("https", "::1", 8443), b"/a/b", "[::1]:8443"),
    ("https://bücher.example", Origin("https", "xn--bcher-kva.example", 443), b"", "xn--bcher-kva.example"),
    ("unix:/run/web.sock", Origin("http", "localhost", 80, "/run/web.sock"), b"", "localhost"),
    ("unix:///run/web.sock", Origin("http", "localhost", 80, "/run/web.sock"), b"", "localhost"),
]


@pytest.mark.parametrize(("url", "origin", "path", "authority"), ADDRESSES)
def test_an_address_is_split_into_origin_and_path(url, origin, path, authority):
    assert Origin.split(url) == (origin, path)
    assert Origin.parse(url) == origin
    assert origin.authority == authority


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.openai.com",
        "ftp://x",
        "file:///etc/passwd",
        "https://",
        "https:///v1",
        "https://user:secret@host",
        "https://user@host",
        "https://host?key=1",
        "https://host/#x",
        "https://host:99999",
        "https://host:port",
        "https://host/pfäd",
        "https://ho st/",
        "https://host/a b",
        "https://host/a\r\nX: y",
        "unix:relative.sock",
    ],
)
def test_what_is_no_address_is_refused(url):
    with pytest.raises(ValueError):
        Origin.split(url)


def test_text_of_an_origin_is_an_address_again():
    for url, origin, _, _ in ADDRESSES:
        assert Origin.parse(str(origin)) == origin, url
