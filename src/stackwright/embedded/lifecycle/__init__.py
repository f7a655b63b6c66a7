"""Containers over time: state machine, restarts, health, events, exec: what happens and when."""
