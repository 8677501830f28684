"""Paths that load balancers and container runtimes may request under any host name and without a key."""

HEALTH = frozenset({"/health", "/livez", "/readyz"})
