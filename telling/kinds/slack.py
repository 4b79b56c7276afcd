"""A line of text for a channel: what incoming webhooks of Slack take, and of Mattermost, Rocket.Chat and Discord
(``.../slack``). The URL is the secret, so of it only the host is shown."""

from __future__ import annotations

import orjson

from jobs.deliveries import Outcome
from telling.kind import AGENT, Destination, Kind, Means
from telling.message import Message


def _check(url: str, means: Means) -> str:
    return means.guard.check(url).shown


def _send(message: Message, to: Destination, means: Means) -> Outcome:
    links = "\n".join(f"{name}: {link}" for name, link in message.links.items())
    body = orjson.dumps({"text": f"{message.words()}\n{links}"})
    headers = {"Content-Type": "application/json", "User-Agent": AGENT}
    return means.posting.post(means.guard.check(to.url), headers, body)


KIND = Kind(
    name="slack",
    place=20,
    summary="a line of text to an incoming webhook of Slack, or of what takes the same",
    signs=False,
    check=_check,
    send=_send,
)
