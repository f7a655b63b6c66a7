"""Compose projects in tests: the Python API `stackwright.up` and the pytest plugin. See docs/testing.md."""
