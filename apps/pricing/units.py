"""The names of what is charged by the piece. docs/prices.md says what each is, and whose."""

UNITS = (
    # Tools that the provider runs
    "web_search", "web_search_preview", "x_search", "file_search", "attachment_search", "code_interpreter",
    "grounded_prompt",  # Gemini 2: one that was answered with searches, however many; later ones count searches
    "grounded_map",
    # What is made, or gone through
    "image", "second", "character", "page", "annotated_page",
    # What a cached token of sound, or of an image, costs above one of text
    "cache_read_audio", "cache_read_image",
)  # fmt: skip
VARIED = ("image:", "code_interpreter:")  # by quality and size ("image:high:1024x1024"), and by memory ("…:4g")


def is_known(name: str) -> bool:
    """Whether an answer may be counted under this name."""
    return name in UNITS or name.startswith(VARIED)
