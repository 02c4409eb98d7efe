import pytest

from apps.kit.slugs import MAX_LENGTH, free_slug


@pytest.mark.parametrize(
    ("name", "taken", "slug"),
    [
        ("Acme", [], "acme"),
        ("Acme & Sons", [], "acme-sons"),
        ("Acme", ["acme"], "acme-2"),
        ("Acme", ["acme", "acme-2", "acme-4"], "acme-3"),
        ("株式会社", [], "thing"),
        ("株式会社", ["thing"], "thing-2"),
        ("x" * 80, [], "x" * 63),
        ("x" * 80, ["x" * 63], "x" * 61 + "-2"),
        ("x" * 62 + " y", [], "x" * 62),
    ],
)
def test_the_first_free_slug_that_fits(name, taken, slug):
    assert free_slug(name, is_taken=taken.__contains__, otherwise="thing") == slug
    assert len(slug) <= MAX_LENGTH
