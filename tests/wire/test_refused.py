"""What is refused although the provider would serve it."""

import openai
import pytest

from tests.rig.installation import Installation
from tests.wire.conftest import Proxied

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.fixture
def address(proxied: Proxied) -> str:
    return f"{proxied.url}/v1"


@pytest.mark.parametrize("path", ["/files", "/chat/completions", "/conversations", "/batches", "/vector_stores"])
def test_stored_objects_of_all_customers_are_in_nobodys_reach(installation: Installation, address: str, path: str):
    refused = pytest.raises(openai.PermissionDeniedError, match="belong to the operator's account")
    with openai.OpenAI(api_key=installation.tenant().key, base_url=address, max_retries=0) as client, refused:
        client.get(path, cast_to=object)


def test_a_capped_customer_is_refused_what_names_no_model(installation: Installation, address: str):
    tenant = installation.tenant(monthly_cap="5")
    refused = pytest.raises(openai.BadRequestError, match="price")
    with openai.OpenAI(api_key=tenant.key, base_url=address, max_retries=0) as client, refused:
        client.audio.transcriptions.create(model="ears-without-a-price", file=("a.wav", b"RIFF"))
