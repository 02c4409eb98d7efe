"""nginx as the measure: a plain proxy of the same calls, with one process.

With kept connections to the provider, as ours has them, and once without: what `proxy_pass` alone does.
"""

import os
import shutil
from pathlib import Path

CONFIG = """\
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
worker_rlimit_nofile 65536;
events {{ worker_connections 8192; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_requests 1000000;
    upstream provider {{
        server 127.0.0.1:{provider};
        keepalive 256;
        keepalive_requests 1000000;
    }}
    server {{
        listen 127.0.0.1:{plain};
        location / {{
            proxy_pass http://provider;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Authorization "Bearer sk-sandbox-of-the-operator";
        }}
    }}
    server {{
        listen 127.0.0.1:{unkept};
        location / {{
            proxy_pass http://127.0.0.1:{provider};
            proxy_set_header Authorization "Bearer sk-sandbox-of-the-operator";
        }}
    }}
    server {{
        listen 127.0.0.1:{streamed};
        location / {{
            proxy_pass http://provider;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Authorization "Bearer sk-sandbox-of-the-operator";
            proxy_buffering off;
        }}
    }}
}}
"""

MISSING = """\
nginx is not here, and the benchmark measures against it. Install it:
    Debian, Ubuntu:  apt-get install nginx-light
    Fedora:          dnf install nginx
    macOS:           brew install nginx
or set NGINX to where it is."""


class NginxMissing(Exception):
    """There is no nginx. The message says how to get it."""


def command(folder: Path, *, provider: int, plain: int, unkept: int, streamed: int) -> list[str]:
    """What starts nginx with its files in `folder`; the rest are ports. Raises NginxMissing."""
    executable = os.environ.get("NGINX") or shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if not executable:
        raise NginxMissing(MISSING)
    config = folder / "nginx.conf"
    config.write_text(CONFIG.format(folder=folder, provider=provider, plain=plain, unkept=unkept, streamed=streamed))
    return [executable, "-c", str(config), "-p", str(folder), "-e", str(folder / "error.log")]
