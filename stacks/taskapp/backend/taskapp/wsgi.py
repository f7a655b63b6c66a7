"""What gunicorn loads: `taskapp.wsgi:app`."""

from __future__ import annotations

from .application import create_app

app = create_app()
