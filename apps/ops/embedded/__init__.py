"""PostgreSQL and Redis of our own, for whoever has none at hand: real servers, from wheels that carry them.

Only the executables are taken from the wheels. The servers listen on unix sockets in a folder that
nobody else may enter, on no port. Where we are root they run as `postgres` or `nobody`, as PostgreSQL
insists, and no permission outside our own folders is changed for that.

Nothing outlives us: the kernel tells a server to stop when we die (PDEATHSIG), also by `kill -9`. Each
server holds a lock file for as long as any process of it lives, so that the next start waits for the
last to have ended, and may then remove what it left without looking at process ids.

Knows no Django: the settings need the addresses of these servers.
"""

from apps.ops.embedded.home import Home, ServerError, ephemeral_home, prepare_home
from apps.ops.embedded.postgres import start_postgres
from apps.ops.embedded.redis import start_redis
from apps.ops.embedded.server import Server, die_with_parent

__all__ = [
    "Home",
    "Server",
    "ServerError",
    "die_with_parent",
    "ephemeral_home",
    "prepare_home",
    "start_postgres",
    "start_redis",
]
