"""The operator's key is nowhere in what a provider's error tells the customer."""

import time

import pytest

from apps.proxy.scrub import scrub

KEY = b"sk-proj-Zx81kQvT9aLmN2rStUvWyA4bCdEfGhJkLpQw7890wXyZ"

ECHOES = [
    pytest.param(b"Incorrect API key provided: " + KEY + b". You can find", id="whole"),
    pytest.param(b'"' + KEY + b'"', id="in-quotes"),
    pytest.param(KEY + KEY, id="twice"),
    pytest.param(b"Incorrect API key provided: sk-proj-********************************************wXyZ.", id="openai"),
    pytest.param(b"key sk-pr***************wXyZ. You", id="openai-old"),
    pytest.param(b"Invalid key: sk-p...wXyZ", id="dots"),
    pytest.param("Invalid key: sk-p…wXyZ".encode(), id="ellipsis"),
    pytest.param("Invalid key: ••••••wXyZ".encode(), id="bullets"),
    pytest.param(b"Invalid key: ****wXyZ", id="tail-only"),
    pytest.param(b"Invalid key: sk-proj-Zx81****", id="head-only"),
    pytest.param(b"Invalid key: sk-proj-Zx81kQvT9aLm", id="cut-off"),
    pytest.param(b"Bearer " + KEY, id="bearer"),
    pytest.param(b"https://x/?key=" + KEY + b"&alt=sse", id="in-a-url"),
]


@pytest.mark.parametrize("echo", ECHOES)
def test_no_part_of_the_key_is_left(echo):
    scrubbed = scrub(echo, KEY)
    assert b"[redacted]" in scrubbed
    for part in (KEY[:12], KEY[-4:], b"Zx81"):
        assert part not in scrubbed


UNTOUCHED = [
    b'{"error":{"message":"You exceeded your current quota... please check","type":"insufficient_quota"}}',
    b"sk-ant-a****bcde",  # somebody else's
    b"*** see https://platform.openai.com/docs ***",
    b"The model `gpt-4o-proj-wXyZ` does not exist",
    b"",
    bytes(range(256)),
]


@pytest.mark.parametrize("body", UNTOUCHED)
def test_what_tells_nothing_of_the_key_is_left_alone(body):
    assert scrub(body, KEY) == body


def test_a_short_key_is_taken_out_where_it_stands():
    assert scrub(b"key=hunter2; hunter", b"hunter2") == b"key=[redacted]; hunter"
    assert scrub(b"nothing", b"") == b"nothing"


@pytest.mark.parametrize("filler", [b"a", b"*", b"s", b"sk-p", b".-", b"\xe2\x80\xa6"])
def test_time_grows_in_line_with_what_a_customer_makes_the_provider_echo(filler):
    body = filler * (64 * 1024 // len(filler)) + KEY
    began = time.process_time()
    assert KEY not in scrub(body, KEY)
    assert time.process_time() - began < 0.1
