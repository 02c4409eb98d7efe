"""The server's application: the proxy, built from its parts; Django is a process of its own behind it."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from django.conf import settings  # noqa: E402  Django's models need the set-up above

from apps.bodies.keeper import Keeper  # noqa: E402
from apps.keys.sealing import make_data_key  # noqa: E402
from apps.kit.ids import uuid7  # noqa: E402
from apps.limits.limiter import Limiter  # noqa: E402
from apps.proxy.admission import Admission  # noqa: E402
from apps.proxy.app import Proxy  # noqa: E402
from apps.proxy.awaited import AwaitedInDatabase  # noqa: E402
from apps.proxy.background import Background  # noqa: E402
from apps.proxy.circuit_board import CircuitBoard  # noqa: E402
from apps.proxy.grants import Grants  # noqa: E402
from apps.proxy.handover import Handover  # noqa: E402
from apps.proxy.leaving import Patience  # noqa: E402
from apps.proxy.made import Makers  # noqa: E402
from apps.proxy.spent import SpentInDatabase  # noqa: E402
from apps.proxy.upstream import Origin, Pool  # noqa: E402
from apps.proxy.vocabularies import open_vocabularies  # noqa: E402
from apps.usage.spool import Spool  # noqa: E402


def build() -> Proxy:
    """The proxy with the parts that the settings name. Nothing is opened or connected before it starts."""
    pool = Pool(first_byte_timeout=settings.PROXY_FIRST_BYTE_TIMEOUT, idle_timeout=settings.PROXY_IDLE_TIMEOUT)
    limiter = Limiter(settings.REDIS_URL, spent=SpentInDatabase())
    admission, makers = Admission(limiter), Makers(limiter.pipe, settings.PROXY_OBJECTS_KEPT)
    return Proxy(
        grants=Grants(
            redis_url=settings.REDIS_URL,
            max_age_s=settings.GRANT_MAX_AGE,
            max_age_capped_s=settings.GRANT_MAX_AGE_CAPPED,
        ),
        admission=admission,
        pool=pool,
        open_spool=lambda: Spool.open(settings.SPOOL_DIRECTORY),
        elsewhere=Handover(pool, Origin.parse(settings.WEB_ORIGIN) if settings.WEB_ORIGIN else None),
        max_body=settings.PROXY_MAX_BODY,
        max_upload=settings.PROXY_MAX_UPLOAD,
        patience=Patience(settings.PROXY_DRAIN_SECONDS, settings.PROXY_DRAIN_BYTES),
        bodies=Keeper(
            settings.BODY_SPOOL_DIRECTORY,
            make_data_key,
            most_bytes=settings.BODY_QUEUE_BYTES,
            most_spooled=settings.BODY_SPOOL_BYTES,
        ),
        vocabularies=open_vocabularies(settings.PROXY_TOKENIZERS),
        makers=makers,
        show_circuits=lambda circuits: CircuitBoard(circuits, limiter.pipe, uuid7().hex),
        background=Background(
            pool=pool,
            admission=admission,
            makers=makers,
            store=AwaitedInDatabase(),
            most_s=settings.PROXY_BACKGROUND_MOST,
        ),
    )


application = build()
