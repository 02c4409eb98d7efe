#!/usr/bin/env python
"""Django's command line; `manage.py up` runs the whole of Tollgate."""

import os
import sys


def main(arguments: list[str]) -> int:
    """`up` and `sandbox` need no settings: `up` makes the values that the settings are read from."""
    match arguments:
        case ["up", *rest]:
            from apps.ops.up import main as up

            return up(rest)
        case ["sandbox", *rest]:
            from apps.ops.sandbox import main as sandbox

            return sandbox(rest)
    from django.core.management import execute_from_command_line

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    execute_from_command_line([sys.argv[0], *arguments])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
