"""Names in URLs."""

from collections.abc import Callable

from django.utils.text import slugify

MAX_LENGTH = 63


def free_slug(name: str, *, is_taken: Callable[[str], bool], otherwise: str) -> str:
    """The first free one of acme, acme-2, acme-3 for `name`; `otherwise` stands for names without letters."""
    stem = slugify(name)[:MAX_LENGTH].strip("-") or otherwise
    slug, number = stem, 1
    while is_taken(slug):
        number += 1
        suffix = f"-{number}"
        slug = stem[: MAX_LENGTH - len(suffix)] + suffix
    return slug
