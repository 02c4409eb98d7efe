"""What is printed about the demo data at every start: who signs in, and a call that works."""

from pathlib import Path

import msgspec

from apps.ops.installation import write_private


class DemoCard(msgspec.Struct, frozen=True):
    """The logins and the proxy key of the demo data. They are made per installation."""

    operator_email: str
    customer_email: str
    password: str
    proxy_key: str
    live_key: str = ""  # of the customer whose calls go to a real provider

    def lines(self, url: str) -> list[str]:
        """The card for a terminal."""
        live = f"  With the real provider, at most 5 USD a day: {self.live_key}"
        return [
            "",
            f"  Operator's console   {url}/console/   {self.operator_email}   password {self.password}",
            f"  Customer's portal    {url}/portal/   {self.customer_email}   password {self.password}",
            "",
            "  A call through the proxy, answered by the sandbox:",
            "",
            f"  curl {url}/v1/chat/completions \\",
            f"    -H 'Authorization: Bearer {self.proxy_key}' -H 'Content-Type: application/json' \\",
            """    -d '{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hello"}]}'""",
            "",
            *([live, ""] if self.live_key else []),
        ]


def read_demo_card(data: Path) -> DemoCard | None:
    """The card of the installation in `data`; None where demo data was never made."""
    try:
        return msgspec.json.decode((data / "demo.json").read_bytes(), type=DemoCard)
    except FileNotFoundError:
        return None


def write_demo_card(data: Path, card: DemoCard) -> None:
    """Keep the card, readable by its owner only."""
    write_private(data / "demo.json", msgspec.json.format(msgspec.json.encode(card)).decode() + "\n")
