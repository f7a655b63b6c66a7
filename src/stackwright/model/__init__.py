"""Compose files to a typed project: read, interpolate, merge, extend, include, normalise, validate."""
