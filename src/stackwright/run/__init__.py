"""Carries a plan out against an engine: ordering, health gates, progress events."""
