from apps.keys import token

def test_a_minted_key_looks_valid():
    assert token.looks_valid(token.mint())
