"""No more end users and values of properties a day than an organization may have: the rest is counted together.

Whoever calls us chooses these, and a program that puts an id of each call into one would make as many rows as there
are calls. So a day has a row (DayCardinality) that whoever adds to it locks first, and a register (KnownValue) of those
that got in, in the order in which they came. When no more get in, that is final for the day: what was
counted as OTHER stays so, and whoever sums the day again, in whatever order, goes by the register.

Rebuilding a day lets in those for whom there is room by now: more where the cap was raised, none otherwise.
"""

from django.conf import settings
from django.db.backends.utils import CursorWrapper

from apps.usage.measures import KEYS, MEASURED

OTHER = "(other)"

TAKE_DAYS = """
INSERT INTO usage_daycardinality (organization_id, day, end_users, property_values, has_other_users, has_other_values)
SELECT DISTINCT organization_id, day, 0, 0, FALSE, FALSE FROM by_hour ORDER BY organization_id, day
ON CONFLICT DO NOTHING
"""
LOCK_DAYS = """
SELECT FROM usage_daycardinality
WHERE (organization_id, day) IN (SELECT organization_id, day FROM by_hour) ORDER BY organization_id, day FOR UPDATE
"""


def _is_known(table: str, *conditions: str) -> str:
    """Whether the register has it, on the row's day. By OFFSET 0 that is looked up one by one: PostgreSQL would rather
    read all of the register, of all days, for each roll-up.
    """
    of_row = [f"known.{name} = {table}.{name}" for name in ("organization_id", "day", "customer_id")]
    return f"EXISTS (SELECT FROM usage_knownvalue AS known WHERE {' AND '.join([*of_row, *conditions])} OFFSET 0)"


# Those that the register doesn't have, in the order in which they came; and whether there is room for them.
NEWCOMERS = f"""
CREATE TEMP TABLE newcomers AS
WITH named AS (
    SELECT organization_id, day, customer_id, NULL AS name, end_user AS value, min(first_at) AS first_at
    FROM by_hour WHERE end_user IS NOT NULL GROUP BY 1, 2, 3, 5
    HAVING NOT {_is_known("by_hour", "known.name IS NULL", "known.value = end_user")}
    UNION ALL
    SELECT organization_id, day, customer_id, name, value, min(first_at) FROM by_value GROUP BY 1, 2, 3, 4, 5
    HAVING NOT {_is_known("by_value", "known.name = by_value.name", "known.value = by_value.value")}
), new AS (
    SELECT *, row_number() OVER (
        PARTITION BY organization_id, day, name IS NULL ORDER BY first_at, customer_id, name, value
    ) AS place
    FROM named
)
SELECT new.*, CASE
    WHEN name IS NULL THEN (%(anew)s OR NOT has_other_users)
        AND place + seen.end_users <= coalesce(keeping.most_end_users, %(most_end_users)s)
    ELSE (%(anew)s OR NOT has_other_values)
        AND place + seen.property_values <= coalesce(keeping.most_property_values, %(most_property_values)s)
    END AS gets_in
FROM new JOIN usage_daycardinality AS seen USING (organization_id, day)
LEFT JOIN usage_keeping AS keeping USING (organization_id)
"""  # noqa: S608 constants of ours
REGISTER = """
INSERT INTO usage_knownvalue (organization_id, day, customer_id, name, value)
SELECT organization_id, day, customer_id, name, value FROM newcomers WHERE gets_in
"""
COUNT = """
UPDATE usage_daycardinality AS seen
SET end_users = seen.end_users + new.end_users, property_values = seen.property_values + new.property_values,
    has_other_users = other_users OR (seen.has_other_users AND NOT %(anew)s),
    has_other_values = other_values OR (seen.has_other_values AND NOT %(anew)s)
FROM (
    SELECT organization_id, day, count(*) FILTER (WHERE gets_in AND name IS NULL) AS end_users,
        count(*) FILTER (WHERE gets_in AND name IS NOT NULL) AS property_values,
        coalesce(bool_or(NOT gets_in AND name IS NULL), FALSE) AS other_users,
        coalesce(bool_or(NOT gets_in AND name IS NOT NULL), FALSE) AS other_values
    FROM newcomers GROUP BY 1, 2
) AS new
WHERE seen.organization_id = new.organization_id AND seen.day = new.day
"""
IS_ANY_OVER = """
SELECT EXISTS (
    SELECT FROM usage_daycardinality WHERE (has_other_users OR has_other_values)
    AND (organization_id, day) IN (SELECT organization_id, day FROM by_hour)
)
"""
USER_IS_KNOWN = _is_known("asked", "known.name IS NULL", "known.value = asked.end_user")
NAME_IS_KNOWN = _is_known("asked", "known.name = property.key")
VALUE_IS_KNOWN = _is_known("asked", "known.name = property.key", "known.value = property.value")
KNOWN_PROPERTIES = f"""
    SELECT jsonb_object_agg(
        CASE WHEN {NAME_IS_KNOWN} THEN property.key ELSE '{OTHER}' END,
        CASE WHEN {VALUE_IS_KNOWN} THEN property.value ELSE '{OTHER}' END
    ) FROM jsonb_each_text(asked.properties) AS property
"""  # noqa: S608 constants of ours
HAS_NO_OTHER_VALUES = "NOT coalesce(has_other_values, FALSE) OR properties = '{}'"
HAS_NO_OTHER_USERS = "NOT coalesce(has_other_users, FALSE) OR end_user IS NULL"
TOGETHER = {
    "end_user": f"CASE WHEN {HAS_NO_OTHER_USERS} OR {USER_IS_KNOWN} THEN end_user ELSE '{OTHER}' END",
    "properties": f"CASE WHEN {HAS_NO_OTHER_VALUES} THEN properties ELSE ({KNOWN_PROPERTIES}) END",
}


def let_in(cursor: CursorWrapper, *, is_whole_day: bool) -> bool:
    """Register who is new in what requests are condensed to, as far as there is room. Returns whether some are OTHER.

    is_whole_day: these are all requests of their days, which nobody else adds to.
    """
    caps = {name: settings.USAGE_KEEPING[name] for name in ("most_end_users", "most_property_values")}
    values = caps | {"anew": is_whole_day}
    cursor.execute(TAKE_DAYS)
    cursor.execute(LOCK_DAYS)
    cursor.execute(NEWCOMERS, values)
    cursor.execute(REGISTER)
    cursor.execute(COUNT, values)
    cursor.execute("DROP TABLE newcomers")
    cursor.execute(IS_ANY_OVER)
    (is_any_over,) = cursor.fetchone()
    return is_any_over


def with_others() -> str:
    """SELECT: the requests in `asked`, with OTHER in the place of who did not get in on a day."""
    columns = [f"{TOGETHER[name]} AS {name}" if name in TOGETHER else f"asked.{name}" for name in (*KEYS, *MEASURED)]
    return (
        f"SELECT {', '.join(columns)} FROM asked LEFT JOIN usage_daycardinality AS seen "  # noqa: S608 ours
        "ON seen.organization_id = asked.organization_id AND seen.day = asked.day"
    )
