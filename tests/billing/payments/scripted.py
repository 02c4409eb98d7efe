"""A Stripe that says what a script says, over HTTP: for what localstripe does not know."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass
class Asked:
    """A call that was made."""

    what: str  # "POST /v1/customers"
    params: dict[str, str]
    headers: dict[str, str]


@dataclass
class ScriptedStripe:
    """Answers by method and path; what is not in the script is 404. An answer with a status is (status, body)."""

    url: str = ""
    script: dict[str, Any] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def of(self, what: str) -> list[Asked]:
        return [each for each in self.asked if each.what == what]

    def answer(self, what: str) -> tuple[int, Any]:
        said = self.script.get(what, (404, {"error": {"type": "invalid_request_error", "message": f"no {what}"}}))
        return said if isinstance(said, tuple) else (200, said)


@contextmanager
def running_script() -> Iterator[ScriptedStripe]:
    stripe = ScriptedStripe()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode())

        def do_GET(self) -> None:
            self._answer(urlsplit(self.path).query)

        def _answer(self, params: str) -> None:
            what = f"{self.command} {urlsplit(self.path).path}"
            stripe.asked.append(Asked(what, dict(parse_qsl(params)), dict(self.headers)))
            status, said = stripe.answer(what)
            body = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    stripe.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield stripe
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
