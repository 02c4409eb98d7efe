"""A single request, as the API has it."""

from typing import Any

from rest_framework import serializers

from apps.api.v1.fields import Amount, Instant, Told
from apps.usage.models import TOKEN_KINDS, Request, Result, UsageSource
from apps.usage.queries.figures import INPUT_COLUMNS, OUTPUT_COLUMNS

EXAMPLE = {
    "id": "0192f3c2-1111-7abc-8def-0123456789ab",
    "started_at": "2026-03-10T11:59:03.120000Z",
    "customer": "0192f3c1-6f5a-7c31-9f0e-2f4f7f1f9a11",
    "key": "0192f3c1-7a00-7d44-8a51-0c9f5d1e2b33",
    "user": "ada",
    "model": "gpt-4o-mini",
    "provider": "openai",
    "model_served": "gpt-4o-mini-2024-07-18",
    "endpoint": "chat.completions",
    "is_streamed": True,
    "result": "served",
    "status": 200,
    "error_code": "",
    "error_message": "",
    "latency_ms": 812,
    "first_token_ms": 310,
    "usage_source": "reported",
    "input_tokens": 700,
    "output_tokens": 80,
    "tokens": dict.fromkeys(TOKEN_KINDS, 0) | {"input": 700, "output": 80},
    "units": {},
    "service_tier": "",
    "cost": "0.000153",
    "price": "0.0001836",
    "markup_percent": "20",
    "provider_cost": None,
    "price_id": 4711,
    "rate_rule_id": None,
    "properties": {"plan": "premium"},
    "session": "checkout-77",
    "session_path": "/search",
    "session_name": "Checkout",
    "client_request_id": None,
    "client_ip": "203.0.113.7",
    "attempts": 1,
}


class TokensSerializer(serializers.Serializer[Any]):
    """Tokens by kind: each is of exactly one."""

    def get_fields(self) -> dict[str, Any]:
        return {kind: serializers.IntegerField(source=f"{kind}_tokens") for kind in TOKEN_KINDS}


class Attempts(serializers.IntegerField):
    """How often a request was tried at providers."""

    def to_representation(self, request: Request) -> int:  # type: ignore[override]
        return len(request.attempts) or int(request.result != Result.REFUSED)


class RequestSerializer(Told):
    """One metered call. What stands behind a name that the operator gave a model is told to operators only."""

    OPERATORS = (
        "provider",
        "model_served",
        "cost",
        "markup_percent",
        "provider_cost",
        "price_id",
        "rate_rule_id",
        "attempts",
    )

    id = serializers.UUIDField()
    started_at = Instant()
    customer = serializers.UUIDField(source="customer_id")
    key = serializers.UUIDField(source="proxy_key_id")
    user = serializers.CharField(source="end_user", allow_null=True, help_text="null: it named none.")
    model = serializers.SerializerMethodField(help_text="As the client knows it.")
    provider = serializers.CharField(required=False, help_text="Operators.")
    model_served = serializers.CharField(required=False, help_text="Operators: as the answer names it.")
    endpoint = serializers.CharField(help_text="The operation, such as `chat.completions`.")
    is_streamed = serializers.BooleanField()
    result = serializers.SerializerMethodField()
    status = serializers.IntegerField(help_text="As the client got it; 0: it got none.")
    error_code = serializers.CharField()
    error_message = serializers.SerializerMethodField()
    latency_ms = serializers.IntegerField()
    first_token_ms = serializers.IntegerField(allow_null=True)
    usage_source = serializers.SerializerMethodField(help_text="Where the counts of tokens come from.")
    input_tokens = serializers.SerializerMethodField(help_text="Of all kinds, cached ones included.")
    output_tokens = serializers.SerializerMethodField(help_text="Of all kinds, reasoning included.")
    tokens = TokensSerializer(source="*")
    units = serializers.DictField(help_text="What is charged by the piece, and how many.")
    service_tier = serializers.CharField()
    cost = Amount(required=False, allow_null=True, help_text="Operators, in USD. null: the price was not known.")
    price = Amount(allow_null=True, help_text="What the customer pays, in USD. null: not known.")
    markup_percent = Amount(required=False, help_text="Operators.")
    provider_cost = Amount(required=False, allow_null=True, help_text="Operators: what the provider says it charges.")
    price_id = serializers.IntegerField(required=False, allow_null=True, help_text="Operators: the price that applied.")
    rate_rule_id = serializers.IntegerField(
        required=False, allow_null=True, help_text="Operators: the rate card's rule that applied. null: the markup."
    )
    properties = serializers.DictField(child=serializers.CharField(), help_text="By their name in lower case.")
    session = serializers.CharField(source="session_id", allow_null=True)
    session_path = serializers.CharField(allow_null=True)
    session_name = serializers.CharField(allow_null=True)
    client_request_id = serializers.CharField(allow_null=True)
    client_ip = serializers.CharField(allow_null=True)
    attempts = Attempts(source="*", required=False, help_text="Operators: how often it was tried.")

    def get_model(self, request: Request) -> str:
        """Its alias, else its name."""
        return request.alias or request.model_served or request.model

    def get_result(self, request: Request) -> str:
        return Result(request.result).name.lower()

    def get_error_message(self, request: Request) -> str:
        """A provider's own words may name what stands behind an alias."""
        is_told = self.context["is_operators"] or request.alias is None or request.result == Result.REFUSED
        return request.error_message if is_told else ""

    def get_usage_source(self, request: Request) -> str:
        return UsageSource(request.usage_source).name.lower()

    def get_input_tokens(self, request: Request) -> int:
        return sum(getattr(request, column) for column in INPUT_COLUMNS)

    def get_output_tokens(self, request: Request) -> int:
        return sum(getattr(request, column) for column in OUTPUT_COLUMNS)


def told_request(request: Request, *, is_operators: bool) -> dict[str, Any]:
    """The request as the audience may see it."""
    data: dict[str, Any] = RequestSerializer(request, context={"is_operators": is_operators}).data
    return data
