"""What snapshots are tried on: root's engine and an ordinary user's."""

from __future__ import annotations

from tests.embedded.rootless.conftest import account, tun

__all__ = ["account", "tun"]
