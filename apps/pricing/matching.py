"""Which model a name means: clauses as genai-prices has them, as plain JSON. Pure.

    {"equals": "gpt-4o"}  {"starts_with": "gpt-4o-"}  {"ends_with": …}  {"contains": …}  {"regex": …}
    {"or": [clause, …]}  {"and": [clause, …]}

Names are compared in lower case. An empty clause matches nothing.
"""

import re
from collections.abc import Mapping
from typing import Any

Clause = Mapping[str, Any]


def matches(clause: Clause, name: str) -> bool:
    """Whether `name`, in lower case, is one of those that the clause means. Raises ValueError."""
    for kind, value in clause.items():
        match kind:
            case "equals":
                return name == str(value)
            case "starts_with":
                return name.startswith(str(value))
            case "ends_with":
                return name.endswith(str(value))
            case "contains":
                return str(value) in name
            case "regex":
                return re.search(value, name) is not None
            case "or":
                return any(matches(part, name) for part in value)
            case "and":
                return all(matches(part, name) for part in value)
            case _:
                raise ValueError(f"no such clause: {kind}")
    return False
