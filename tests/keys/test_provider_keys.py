from tests.cast import Cast, a_provider_key, a_link, a_proxy_key, reread
from apps.keys.vault import open_provider_key
pytest_plugins = []

def test_secret_comes_back_only_from_the_vault(cast: Cast):
    key = a_link(cast.globex, secret="sk-canary-12345678")
    assert open_provider_key(reread(key), opened_by="proxy") == "sk-canary-12345678"
