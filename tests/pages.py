"""Pages as a person reads them: the text, without tags."""

import re
from html.parser import HTMLParser

from django.http import HttpResponse

HIDDEN = ("script", "style", "title")


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._hidden += tag in HIDDEN
        self.parts.append(" ")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in HIDDEN
        self.parts.append(" ")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data)


def text_of(answer: HttpResponse) -> str:
    """What the page says, in one line."""
    reader = _Reader()
    reader.feed(answer.content.decode())
    return re.sub(r"\s+", " ", "".join(reader.parts)).strip()


def rows_of(answer: HttpResponse) -> list[str]:
    """What each row of its tables says, the heads' included."""
    rows = re.findall(r"<tr.*?</tr>", answer.content.decode(), re.DOTALL)
    return [text_of(HttpResponse(row)) for row in rows]
