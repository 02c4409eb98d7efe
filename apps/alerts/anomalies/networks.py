"""The networks that keys are used from: a /24, or a /48 of IPv6, which is what one provider gives one site."""

from datetime import datetime, timedelta

from django.db import connection

from apps.alerts.models import KeyNetwork

LOOKED_BACK = timedelta(minutes=20)  # runs come every five minutes; what was shipped late is seen by the next
MOST_KEPT = timedelta(days=90)
MOST_NEW = 20_000  # rows of one run: beyond, the busiest keys' come first
NOTE = """
INSERT INTO alerts_keynetwork (organization_id, proxy_key_id, network, first_seen_at, last_seen_at)
SELECT seen.organization_id, proxy_key_id, network, min(started_at), max(started_at)
FROM (
    SELECT organization_id, proxy_key_id, started_at,
        network(set_masklen(client_ip, CASE family(client_ip) WHEN 4 THEN 24 ELSE 48 END))::text AS network
    FROM usage_request
    WHERE started_at >= %s AND started_at < %s AND client_ip IS NOT NULL
) AS seen
JOIN keys_proxykey ON keys_proxykey.id = proxy_key_id
GROUP BY 1, 2, 3 ORDER BY 2, 3 LIMIT %s
ON CONFLICT (proxy_key_id, network) DO UPDATE SET
    first_seen_at = LEAST(alerts_keynetwork.first_seen_at, excluded.first_seen_at),
    last_seen_at = GREATEST(alerts_keynetwork.last_seen_at, excluded.last_seen_at)
"""


def note_networks(at: datetime) -> None:
    """Note where the calls of the last minutes came from. Twice changes nothing."""
    with connection.cursor() as cursor:
        cursor.execute(NOTE, [at - LOOKED_BACK, at, MOST_NEW])


def forget_networks(at: datetime) -> None:
    """Those that were not seen for a season are new again."""
    KeyNetwork.objects.filter(last_seen_at__lt=at - MOST_KEPT).delete()
