"""Is this process alive, and is all that it needs there? For load balancers, and for `manage.py up`.

`/healthz` answers 200 as long as the process does. `/readyz` answers 200 when the migrations are done and
PostgreSQL, Redis and a worker answer, else 503; what is missing is in the JSON.
"""

from collections.abc import Callable

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

WORKER_KEY = "tollgate:worker"
WORKER_SEEN_WITHIN_S = 45
PATIENCE_S = 2.0


def connect(url: str) -> Redis:
    """A client that tells soon when Redis doesn't answer."""
    patience = {"socket_timeout": PATIENCE_S, "socket_connect_timeout": PATIENCE_S}
    return Redis.from_url(url, **patience, retry=Retry(NoBackoff(), 0))


_redis = connect(settings.REDIS_URL)
_are_migrations_done = False


def note_worker() -> None:
    """A worker was here."""
    _redis.set(WORKER_KEY, "1", ex=WORKER_SEEN_WITHIN_S)


def checks() -> dict[str, str]:
    """What readiness needs, each "ok" or what is wrong with it."""
    postgresql = _postgresql()
    redis, worker = _redis_and_worker()
    return {
        "postgresql": postgresql,
        "migrations": _migrations(postgresql),
        "redis": redis,
        "worker": worker,
    }


def _postgresql() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        return f"no answer: {type(error).__name__}"
    return "ok"


def _migrations(database: str) -> str:
    global _are_migrations_done  # noqa: PLW0603 (once done they stay done: the tables are read till then)
    if database != "ok":
        return "unknown"
    if not _are_migrations_done:
        executor = MigrationExecutor(connection)
        _are_migrations_done = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    return "ok" if _are_migrations_done else "missing: run manage.py migrate"


def _redis_and_worker() -> tuple[str, str]:
    try:
        is_worker_there = _redis.exists(WORKER_KEY)
    except RedisError as error:
        return f"no answer: {type(error).__name__}", "unknown"
    return "ok", "ok" if is_worker_there else f"none seen for {WORKER_SEEN_WITHIN_S} s"


class HealthMiddleware:
    """Answers both paths before anything else, so that a probe needs no known Host and no session."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path == "/healthz":
            return JsonResponse({"status": "ok"})
        if request.path == "/readyz":
            found = checks()
            is_ready = set(found.values()) == {"ok"}
            status = {"status": "ready" if is_ready else "not ready", "checks": found}
            response = JsonResponse(status, status=200 if is_ready else 503)
            response._has_been_logged = True  # type: ignore[attr-defined]  # noqa: SLF001 (no error of ours)
            return response
        return self._get_response(request)
