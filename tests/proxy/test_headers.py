"""Which headers go on, and where the key is found."""

import pytest

from apps.proxy.headers import read_request, read_response, take_key, with_body

KEY = b"tg_live_" + b"k" * 39

# Requests

FORWARDED = [
    (b"accept", b"application/json"),
    (b"content-type", b"application/json"),
    (b"user-agent", b"OpenAI/Python 3.52.0"),
    (b"x-stainless-lang", b"python"),
    (b"x-stainless-something-new", b"1"),
    (b"anthropic-version", b"2023-06-01"),
    (b"anthropic-beta", b"prompt-caching-2024-07-31"),
    (b"openai-beta", b"assistants=v2"),
    (b"http-referer", b"https://example.com"),
    (b"x-title", b"My app"),
    (b"x-goog-api-client", b"genai-py/3.4.0"),
    (b"x-client-request-id", b"mine"),
    (b"something-that-comes-next-year", b"yes"),
]
NOT_FORWARDED = """
    connection keep-alive proxy-connection proxy-authorization te trailer transfer-encoding upgrade
    host content-length accept-encoding cookie expect
    authorization x-api-key x-goog-api-key api-key helicone-auth tollgate-auth
    helicone-user-id helicone-property-plan helicone-anything tollgate-user-id tollgate-anything
    forwarded via x-forwarded-for x-forwarded-host x-forwarded-proto x-real-ip true-client-ip x-client-ip
    cf-connecting-ip cf-ray x-envoy-external-address x-amzn-trace-id traceparent tracestate baggage sec-fetch-mode
    openai-organization openai-project x-goog-user-project
    x-goog-fieldmask x-http-method-override idempotency-key x-request-id
    x_forwarded_for x_api_key content_length anthropic_version
"""


def test_what_providers_should_see_goes_on_unchanged_and_in_order():
    assert read_request(FORWARDED).forward == FORWARDED


@pytest.mark.parametrize("name", NOT_FORWARDED.split())
def test_what_providers_should_not_see_stays_here(name):
    headers = [*FORWARDED[:3], (name.encode(), b"value"), *FORWARDED[3:]]
    assert read_request(headers).forward == FORWARDED


PLACES = [
    pytest.param([(b"authorization", b"Bearer " + KEY)], id="openai"),
    pytest.param([(b"authorization", b"bearer  " + KEY + b" ")], id="sloppy"),
    pytest.param([(b"authorization", KEY)], id="bare"),
    pytest.param([(b"x-api-key", KEY)], id="anthropic"),
    pytest.param([(b"x-goog-api-key", KEY)], id="gemini"),
    pytest.param([(b"api-key", KEY)], id="azure"),
    pytest.param([(b"helicone-auth", b"Bearer " + KEY)], id="helicone"),
    pytest.param([(b"authorization", b"Bearer sk-own"), (b"helicone-auth", b"Bearer " + KEY)], id="helicone-beside"),
    pytest.param([(b"helicone-auth", b"Bearer " + KEY), (b"authorization", b"Bearer sk-own")], id="helicone-before"),
    pytest.param([(b"authorization", b"Bearer sk-own, Bearer " + KEY)], id="two-in-one"),
    pytest.param([(b"x-api-key", b"sk-own"), (b"authorization", b"Bearer " + KEY)], id="the-one-that-is-ours"),
]


@pytest.mark.parametrize("headers", PLACES)
def test_the_key_is_found_wherever_an_sdk_puts_it_and_goes_nowhere(headers):
    head = read_request([*headers, (b"accept", b"*/*")])
    assert head.key == KEY
    assert head.forward == [(b"accept", b"*/*")]
    assert head.extra == {}


def test_of_keys_that_are_not_ours_the_first_is_told_to_be_wrong():
    assert read_request([(b"x-api-key", b"sk-1"), (b"authorization", b"Bearer sk-2")]).key == b"sk-1"
    assert read_request([(b"accept", b"*/*")]).key == b""


QUERIES = [
    (b"key=" + KEY, KEY, b""),
    (b"alt=sse&key=" + KEY, KEY, b"alt=sse"),
    (b"key=" + KEY + b"&alt=sse&x=%20", KEY, b"alt=sse&x=%20"),
    (b"%6bey=" + KEY, KEY, b""),
    (b"k%65y=tg%5Flive%5F" + b"k" * 39, KEY, b""),
    (b"key=" + KEY + b"&key=other", KEY, b""),
    (b"$key=" + KEY, KEY, b""),
    (b"access_token=" + KEY, KEY, b""),
    (b"monkey=1&keys=2", b"", b"monkey=1&keys=2"),
    (b"limit=20&after=file_1", b"", b"limit=20&after=file_1"),
    (b"", b"", b""),
]


@pytest.mark.parametrize(("query", "key", "rest"), QUERIES)
def test_a_key_in_the_query_is_taken_out_of_it_however_it_is_spelled(query, key, rest):
    assert take_key(query) == (key, rest)


ENCODINGS = [
    (None, b"identity"),
    (b"identity", b"identity"),
    (b"gzip, deflate, br, zstd", b"gzip, deflate, br, zstd"),
    (b"gzip", b"gzip"),
    (b"gzip;q=1.0, compress;q=0.5, br;q=0", b"gzip;q=1.0, br;q=0"),
    (b"GZIP,BR", b"gzip, br"),
    (b"compress, dcb", b"identity"),
    (b"*", b"identity"),
]


@pytest.mark.parametrize(("accepted", "asked"), ENCODINGS)
def test_only_encodings_are_asked_for_that_the_client_takes_and_we_can_read(accepted, asked):
    headers = [] if accepted is None else [(b"accept-encoding", accepted)]
    assert read_request(headers).accept_encoding == asked


@pytest.mark.parametrize(
    ("content_type", "is_json"),
    [
        (b"application/json", True),
        (b"application/json; charset=utf-8", True),
        (b"Application/JSON", True),
        (b"multipart/form-data; boundary=x", False),
        (b"application/octet-stream", False),
        (b"", False),
    ],
)
def test_json_is_known_by_its_content_type(content_type, is_json):
    assert read_request([(b"content-type", content_type)]).is_json is is_json


def test_our_own_headers_are_kept_as_they_came():
    ours = [(b"helicone-property-Plan", b"pro"), (b"tollgate-user-id", b"u"), (b"helicone-cache-enabled", b"true")]
    assert read_request([*ours, (b"accept", b"*/*")]).extra == dict(ours)


# Answers

RETURNED = [
    (b"date", b"Fri, 20 Nov 2026 10:00:00 GMT"),
    (b"content-type", b"application/json"),
    (b"retry-after", b"7"),
    (b"retry-after-ms", b"6500"),
    (b"x-should-retry", b"true"),
    (b"openai-processing-ms", b"512"),
    (b"request-id", b"req_anthropic"),
    (b"content-encoding", b"gzip"),
    (b"something-that-comes-next-year", b"yes"),
]
NOT_RETURNED = """
    connection keep-alive transfer-encoding trailer upgrade proxy-authenticate
    set-cookie set-cookie2 server via alt-svc strict-transport-security nel report-to
    x-request-id openai-organization openai-project anthropic-organization-id
    x-ratelimit-limit-requests x-ratelimit-remaining-tokens x-ratelimit-reset-requests
    anthropic-ratelimit-tokens-remaining cf-ray cf-cache-status x-amzn-requestid x-goog-quota-user
    helicone-id tollgate-warning
"""


def test_what_customers_should_see_goes_on_unchanged_and_in_order():
    assert read_response(RETURNED).forward == RETURNED


@pytest.mark.parametrize("name", NOT_RETURNED.split())
def test_what_tells_of_the_operator_s_account_stays_here(name):
    headers = [*RETURNED[:3], (name.encode(), b"value"), *RETURNED[3:]]
    assert read_response(headers).forward == RETURNED


def test_headers_of_the_provider_s_connection_are_those_that_it_names_too():
    headers = [(b"connection", b"close, X-Hop"), (b"x-hop", b"1"), (b"x-stays", b"2")]
    assert read_response(headers).forward == [(b"x-stays", b"2")]


def test_what_matters_of_an_answer_is_read():
    head = read_response([(b"content-type", b"Text/Event-Stream"), (b"content-encoding", b" GZip "), (b"x", b"y")])
    assert head[1:] == (b"text/event-stream", b"gzip", None)


@pytest.mark.parametrize("name", [b"x-request-id", b"request-id", b"x-goog-request-id"])
def test_the_provider_s_own_request_id_is_kept_for_the_record(name):
    assert read_response([(name, b"req_1")]).request_id == "req_1"


def test_a_stream_has_no_length_since_something_may_be_taken_out():
    length = (b"content-length", b"500")
    assert read_response([length, (b"content-type", b"text/event-stream")]).forward == [
        (b"content-type", b"text/event-stream")
    ]
    assert length in read_response([length, (b"content-type", b"application/json")]).forward


def test_another_body_has_another_length_and_is_not_compressed():
    headers = [(b"content-length", b"9"), (b"content-encoding", b"br"), (b"x", b"y")]
    assert with_body(headers, b"four") == [(b"x", b"y"), (b"content-length", b"4")]
