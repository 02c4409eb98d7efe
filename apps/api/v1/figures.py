"""The figures of usage, as the API has them."""

from rest_framework import serializers

from apps.api.v1.fields import Amount, Instant, Told

EXAMPLE = {
    "requests": 1200,
    "refused": 12,
    "failed": 9,
    "client_errors": 4,
    "rate_limited": 3,
    "server_errors": 2,
    "cancelled": 1,
    "unfinished": 0,
    "unpriced": 0,
    "input_tokens": 840000,
    "cache_read_tokens": 120000,
    "output_tokens": 96000,
    "reasoning_tokens": 0,
    "tokens": 936000,
    "cost": "1.5342",
    "price": "1.84104",
    "margin": "0.30684",
    "error_rate": 0.0076,
    "average_latency_ms": 812.4,
    "average_first_token_ms": 310.9,
    "first_at": "2026-03-01T08:00:12Z",
    "last_at": "2026-03-10T11:59:03Z",
}
ZEROS = {name: 0 if isinstance(value, int) else None for name, value in EXAMPLE.items()} | {
    "cost": "0",
    "price": "0",
    "margin": "0",
}


class FiguresSerializer(Told):
    """Sums over requests. Those that were refused by us count in `requests` and `refused`, nowhere else."""

    OPERATORS = ("cost", "margin")

    requests = serializers.IntegerField()
    refused = serializers.IntegerField(help_text="By us, before a provider was called.")
    failed = serializers.IntegerField(help_text="The three classes of errors together.")
    client_errors = serializers.IntegerField(help_text="Answered with 4xx other than 429.")
    rate_limited = serializers.IntegerField(help_text="Answered with 429 by the provider.")
    server_errors = serializers.IntegerField(help_text="Answered with 5xx, broken off, or out of reach.")
    cancelled = serializers.IntegerField(help_text="The client went away before the end.")
    unfinished = serializers.IntegerField(help_text="What the provider did is not known.")
    unpriced = serializers.IntegerField(help_text="The price is not known, and not in the amounts.")
    input_tokens = serializers.IntegerField(help_text="Of all kinds, cached ones included.")
    cache_read_tokens = serializers.IntegerField()
    output_tokens = serializers.IntegerField(help_text="Of all kinds, reasoning included.")
    reasoning_tokens = serializers.IntegerField()
    tokens = serializers.IntegerField()
    cost = Amount(required=False, help_text="Operators: what providers charge, in USD.")
    price = Amount(help_text="What the customer pays, in USD.")
    margin = Amount(required=False, help_text="Operators: price less cost.")
    error_rate = serializers.FloatField(allow_null=True, help_text="Of the requests that went to a provider.")
    average_latency_ms = serializers.FloatField(allow_null=True)
    average_first_token_ms = serializers.FloatField(allow_null=True)
    first_at = Instant(allow_null=True)
    last_at = Instant(allow_null=True)
