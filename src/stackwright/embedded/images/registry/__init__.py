"""Talking to image registries (OCI distribution specification)."""
