"""Frozen file systems: what a container or volume held at one moment, shared by everything that starts from it."""
