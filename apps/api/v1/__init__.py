"""The API, version 1: for programs of operators and of customers, who come with a token (docs/api.md)."""
