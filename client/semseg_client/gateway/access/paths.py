"""Paths that load balancers and container runtimes ask, whatever the host name and without a key."""

HEALTH = frozenset({"/health", "/livez", "/readyz"})
