"""The names of what is charged by the piece. docs/prices.md says what each is, and whose."""

UNITS = (
    # Tools that the provider runs
    "web_search", "web_search_preview", "x_search", "file_search", "attachment_search", "code_interpreter",
    "grounded_prompt",  # Gemini 2: one that was answered with searches, however many; later ones count searches
    "grounded_map",
    # What is made, or gone through
    "image", "second", "character", "page", "annotated_page",
    # Tokens of a model that draws for another, by its name: of an image drawn, words with it, an image read, words read
    "image_out", "image_text_out", "image_in", "image_text_in",
    # What a cached token of sound, or of an image, costs above one of text
    "cache_read_audio", "cache_read_image",
)  # fmt: skip
# By quality and size ("image:high:1024x1024"), memory ("code_interpreter:4g"), model ("image_out:gpt-image-1").
VARIED = ("image:", "code_interpreter:", "image_out:", "image_text_out:", "image_in:", "image_text_in:")


def is_known(name: str) -> bool:
    """Whether an answer may be counted under this name."""
    return name in UNITS or name.startswith(VARIED)
