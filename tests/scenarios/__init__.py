"""Small projects and commands on them, done by us and by the real `docker compose`, and compared."""
