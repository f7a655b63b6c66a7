"""The task management API (see `application.create_app`)."""
