"""The requests of a session as the tree that their paths draw: "/trip/hotel" is below "/trip". Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from apps.usage.models import Request
from apps.usage.queries.figures import INPUT_COLUMNS, OUTPUT_COLUMNS

DEEPEST = 16  # what is below is shown there


@dataclass
class Node:
    """A step of a session, with all that is below it."""

    name: str
    path: str
    depth: int
    requests: list[Request] = field(default_factory=list)  # of this very path, in order
    children: dict[str, "Node"] = field(default_factory=dict)
    count: int = 0
    failed: int = 0
    tokens: int = 0
    unpriced: int = 0
    cost: Decimal = Decimal(0)
    price: Decimal = Decimal(0)
    first_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def duration_ms(self) -> float | None:
        """From the beginning of its first request to the end of its last answer; None: nothing is in it."""
        if self.first_at is None or self.ended_at is None:
            return None
        return (self.ended_at - self.first_at) / timedelta(milliseconds=1)

    def add(self, request: Request) -> None:
        """Count a request that is here or below."""
        ended_at = request.started_at + timedelta(milliseconds=request.latency_ms)
        self.count += 1
        self.failed += request.result == 1
        self.tokens += sum(getattr(request, column) for column in (*INPUT_COLUMNS, *OUTPUT_COLUMNS))
        self.unpriced += request.price is None
        self.cost += request.cost or 0
        self.price += request.price or 0
        self.first_at = min(self.first_at or request.started_at, request.started_at)
        self.ended_at = max(self.ended_at or ended_at, ended_at)

    def walk(self) -> Iterator["Node"]:
        """This one and all below, each before its own; in the order in which they began."""
        yield self
        for child in self.children.values():
            yield from child.walk()


def tree_of(requests: Iterable[Request]) -> Node:
    """The root, whose name is empty. Requests in the order in which they began; those without a path are its own."""
    root = Node("", "/", 0)
    for request in requests:
        node = root
        node.add(request)
        for name in steps_of(request.session_path or ""):
            path = f"{node.path.rstrip('/')}/{name}"
            node = node.children.setdefault(name, Node(name, path, node.depth + 1))
            node.add(request)
        node.requests.append(request)
    return root


def steps_of(path: str) -> list[str]:
    """Its names; an empty one between two slashes is none."""
    names = [name for name in (part.strip() for part in path.split("/")) if name]
    return names if len(names) <= DEEPEST else [*names[: DEEPEST - 1], "/".join(names[DEEPEST - 1 :])]
