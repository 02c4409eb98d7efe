"""Slack's incoming webhooks, and whatever takes their JSON (Mattermost, Rocket.Chat, Discord's `/slack`).

The address is the secret: who has it can write to the channel. So it is sealed, and its end is shown.
"""

import json
from datetime import datetime
from urllib.parse import urlsplit

from apps.alerts.channels.base import Outcome
from apps.alerts.channels.http import post
from apps.alerts.models import Delivery


def shown(url: str) -> str:
    """What pages say of the address."""
    return f"{urlsplit(url).hostname}/…{url[-4:]}"


def text_of(delivery: Delivery) -> str:
    """The message. What strangers named can neither call the whole channel nor make links."""
    payload = delivery.payload
    lines = [f"*{_escaped(payload['title'])}*", *(_escaped(line) for line in payload["text"])]
    if payload["url"]:
        lines.append(payload["url"])
    return "\n".join(lines)


def send(delivery: Delivery, *, at: datetime) -> Outcome:
    body = json.dumps({"text": text_of(delivery)}).encode()
    return post(delivery.channel.open(), body, {"Content-Type": "application/json"})


def _escaped(text: str) -> str:
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("*", "∗"), ("`", "ˋ")):
        text = text.replace(character, entity)
    return text
