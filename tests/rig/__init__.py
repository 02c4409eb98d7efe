"""Real processes for tests of faults, races and speed: servers, proxies, a provider, clients with a record.

An `Installation` has a PostgreSQL, a Redis and a spool of its own: a test may freeze or kill any of it.
"""
