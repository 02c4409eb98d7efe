"""Code to paste, with this installation's address, and the key where it was just made."""

from typing import NamedTuple

YOUR_KEY = "tg_live_…"


class Snippet(NamedTuple):
    """A piece of code in a language."""

    name: str
    label: str
    code: str


def snippets_for(url: str, key: str = "") -> list[Snippet]:
    """How to call us, by tool and SDK."""
    key = key or YOUR_KEY
    return [
        Snippet(
            "curl",
            "curl",
            f"""curl {url}/v1/chat/completions \\
  -H "Authorization: Bearer {key}" \\
  -H "Content-Type: application/json" \\
  -d '{{"model": "gpt-4o-mini", "messages": [{{"role": "user", "content": "Hello!"}}]}}'""",
        ),
        Snippet(
            "openai-python",
            "OpenAI, Python",
            f"""from openai import OpenAI

client = OpenAI(api_key="{key}", base_url="{url}/v1")
answer = client.chat.completions.create(
    model="gpt-4o-mini",
    messages=[{{"role": "user", "content": "Hello!"}}],
    extra_headers={{"Helicone-User-Id": "user-123"}},
)
print(answer.choices[0].message.content)""",
        ),
        Snippet(
            "openai-node",
            "OpenAI, Node",
            f"""import OpenAI from "openai";

const client = new OpenAI({{ apiKey: "{key}", baseURL: "{url}/v1" }});
const answer = await client.chat.completions.create({{
  model: "gpt-4o-mini",
  messages: [{{ role: "user", content: "Hello!" }}],
}});
console.log(answer.choices[0].message.content);""",
        ),
        Snippet(
            "anthropic-python",
            "Anthropic, Python",
            f"""from anthropic import Anthropic

client = Anthropic(api_key="{key}", base_url="{url}")
answer = client.messages.create(
    model="claude-sonnet-5",
    max_tokens=200,
    messages=[{{"role": "user", "content": "Hello!"}}],
)
print(answer.content[0].text)""",
        ),
        Snippet(
            "gemini-python",
            "Gemini, Python",
            f"""from google import genai

client = genai.Client(api_key="{key}", http_options={{"base_url": "{url}"}})
answer = client.models.generate_content(model="gemini-2.5-flash", contents="Hello!")
print(answer.text)""",
        ),
        Snippet(
            "helicone",
            "From Helicone",
            f"""# Only the base URL and the key change: Helicone-User-Id, Helicone-Property-* and others go on working.
client = OpenAI(
    api_key="{key}",
    base_url="{url}/v1",  # was https://oai.helicone.ai/v1
    default_headers={{"Helicone-Property-Plan": "pro"}},
)""",
        ),
    ]
