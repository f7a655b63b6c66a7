"""Stackwright: from a Compose file to a checked, running, observed, tested and deployed system."""

__version__ = "0.1.0"
