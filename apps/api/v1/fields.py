"""Values as the API has them: money exact, as strings; times in UTC; whatever is sent within what can be stored."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from drf_spectacular.drainage import set_override
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.accounts.models import time_zones
from apps.kit.fields import AMOUNT_PLACES

EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
SLUG = re.compile(r"^[-a-zA-Z0-9_]+$")
UUID_FORM = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
MOST_INTEGER = 2**31 - 1
MOST_BIG_INTEGER = 2**53 - 1  # what JavaScript can count to


class Amount(serializers.DecimalField):
    """A number that is exact: as people write it, in a string. A number of JSON's would be a float on its way."""

    default_error_messages = {"invalid": "An amount is a string such as 12.5."}  # noqa: RUF012  as the others

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"max_digits": 24, "decimal_places": AMOUNT_PLACES} | options)
        sign = "" if options.get("min_value") == 0 else "-?"
        self.pattern = rf"^{sign}\d{{1,{self.max_digits - self.decimal_places}}}(\.\d{{1,{self.decimal_places}}})?$"
        set_override(self, "field", {"type": "string", "pattern": self.pattern, "examples": ["12.5"]})

    def validate_empty_values(self, data: Any) -> tuple[bool, Any]:
        return (False, data) if data == "" else super().validate_empty_values(data)  # which is no amount, and not null

    def to_internal_value(self, data: Any) -> Decimal:
        if not isinstance(data, str) or not re.fullmatch(self.pattern.strip("^$"), data, re.ASCII):
            self.fail("invalid")
        return super().to_internal_value(data)

    def to_representation(self, value: Decimal | int) -> str:
        return f"{round(Decimal(value), AMOUNT_PLACES).normalize():f}"


class Whole(serializers.IntegerField):
    """A whole number: in a body, not text or truth that could be taken for one."""

    def to_internal_value(self, data: Any) -> int:
        is_query = isinstance(self.root, Query)
        if isinstance(data, bool) or isinstance(data, str) is not is_query or (is_query and not data.isascii()):
            self.fail("invalid")
        return super().to_internal_value(data)


class Flag(serializers.BooleanField):
    """Truth: true or false, and nothing that could be taken for it."""

    def to_internal_value(self, data: Any) -> bool:
        if isinstance(self.root, Query):
            data = {"true": True, "false": False}.get(data)
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class Query(serializers.Serializer[Any]):
    """What is asked for in a query string, where all is text."""


class Instant(serializers.DateTimeField):
    """A time, in RFC 3339. What is sent without an offset is UTC."""

    default_error_messages = {"range": "Times are from the year 2000 up to 2199."}  # noqa: RUF012  as the others

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"default_timezone": UTC} | options)

    def to_internal_value(self, value: Any) -> datetime:
        at: datetime = super().to_internal_value(value)
        if not EARLIEST <= at < LATEST:
            self.fail("range")
        return at


@extend_schema_field({"type": "string", "examples": ["Europe/Berlin"]})
class Zone(serializers.CharField):
    """The name of a time zone."""

    default_error_messages = {"zone": "There is no such time zone."}  # noqa: RUF012  as the others

    def to_internal_value(self, data: Any) -> ZoneInfo:  # type: ignore[override]
        name = super().to_internal_value(data)
        if name not in time_zones():
            self.fail("zone")
        return ZoneInfo(name)


class Text(serializers.CharField):
    """Text as it was sent: nothing is cut off its ends, and it is text in JSON too."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"trim_whitespace": False, "max_length": 1000} | options)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))


class Slug(Text):
    """A name for commands and addresses."""

    default_error_messages = {"slug": "Letters, digits, hyphens and underscores."}  # noqa: RUF012  as the others

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        set_override(self, "field", {"type": "string", "pattern": SLUG.pattern, "maxLength": self.max_length})

    def to_internal_value(self, data: Any) -> str:
        slug = super().to_internal_value(data)
        if SLUG.match(slug) is None:
            self.fail("slug")
        return slug


class Id(serializers.UUIDField):
    """An id, as it is usually written; not a number that one could be made of."""

    def to_internal_value(self, data: Any) -> UUID:
        if not isinstance(data, str) or UUID_FORM.fullmatch(data) is None:
            self.fail("invalid", value=data)
        return super().to_internal_value(data)


def audience_of(serializer: serializers.BaseSerializer[Any]) -> bool:
    """Whether what it writes is for the operator."""
    return bool(serializer.context["is_operators"])


class Told(serializers.Serializer[Any]):
    """Something as it is told. OPERATORS: fields that a customer isn't told; they are not there then."""

    OPERATORS: tuple[str, ...] = ()

    def to_representation(self, instance: Any) -> dict[str, Any]:
        told = super().to_representation(instance)
        if self.OPERATORS and not audience_of(self):
            for name in self.OPERATORS:
                told.pop(name, None)
        return told


class Asked(serializers.Serializer[Any]):
    """What is sent in a body. A member that it doesn't know is an error, so that a typo is not taken for nothing."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if isinstance(data, dict) and (unknown := sorted(set(data) - set(self.fields))):
            raise serializers.ValidationError(dict.fromkeys(unknown, "There is no such member."))
        clean: dict[str, Any] = super().to_internal_value(data)
        return clean
