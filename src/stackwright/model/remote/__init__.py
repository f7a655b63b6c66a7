"""Compose files that live in a git repository or in an OCI registry: fetched once, then read like local ones."""
