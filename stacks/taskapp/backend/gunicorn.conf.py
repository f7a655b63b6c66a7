"""gunicorn's settings. The application is loaded once, before the workers are forked: boot is quick
and the workers share its memory."""

import logging
import os
import sys

from taskapp.config import Config, ConfigError

try:
    taskapp_config = Config.from_environment()
except ConfigError as error:
    sys.exit(f"task-management-backend cannot start: {error}")

bind = f"0.0.0.0:{os.environ.get('PORT', '5000')}"
worker_class = "gthread"
workers = int(os.environ.get("WEB_CONCURRENCY", "4"))
threads = 4
preload_app = True
wsgi_app = "taskapp.wsgi:app"
timeout = 30
graceful_timeout = 20
keepalive = 5
# The heartbeat file must not wait for a disk.
worker_tmp_dir = "/dev/shm"
control_socket_disable = True
accesslog = os.environ.get("ACCESS_LOG") or None


def on_starting(server):  # type: ignore[no-untyped-def]
    """Before the port is opened: the schema is brought up to date. Exits with 1 and one line if it cannot."""
    import psycopg2
    from taskapp.migrate import MigrationError, migrate_when_reachable

    logger = logging.getLogger("taskapp")
    logger.handlers, logger.level = server.log.error_log.handlers, logging.INFO
    try:
        applied = migrate_when_reachable(taskapp_config.database_url)
    except (MigrationError, psycopg2.Error) as error:
        server.log.error("cannot start: %s", str(error).strip())
        sys.exit(1)
    server.log.info("schema is up to date (%d migrations applied now)", len(applied))


def on_reload(server):  # type: ignore[no-untyped-def]
    """On SIGHUP the application's own modules are read anew, the libraries stay: that takes a moment, not a boot.
    Code that cannot be loaded is reported, and what ran goes on running."""
    ours = {name: module for name, module in sys.modules.items() if name.split(".")[0] == "taskapp"}
    application = server.app.callable
    for name in ours:
        del sys.modules[name]
    server.app.callable = None
    try:
        server.app.wsgi()
    except Exception:
        sys.modules.update(ours)
        server.app.callable = application
        server.log.exception("the changed code cannot be loaded; what ran goes on running")
