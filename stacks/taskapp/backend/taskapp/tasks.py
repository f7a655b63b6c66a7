"""A user's own tasks. Nobody else's are ever visible: every statement names the user."""

from __future__ import annotations

import math
from typing import Any

import psycopg2.errors
from flask import Blueprint, Response, current_app, g, jsonify, request

from . import fields
from .auth import signed_in
from .errors import InvalidInput, NotFound, NotSignedIn

blueprint = Blueprint("tasks", __name__)

STATUSES = ("todo", "in_progress", "done")
PRIORITIES = ("low", "medium", "high")

_TASK = {
    "title": fields.text("Title", longest=200),
    "description": fields.text("Description", longest=5000, required=False),
    "status": fields.one_of("Status", *STATUSES, default="todo"),
    "priority": fields.one_of("Priority", *PRIORITIES, default="medium"),
    "due_on": fields.optional_date,
}

# What a client may sort by, and the SQL for it: nothing that a client sends becomes SQL itself.
_SORTS = {
    "created": "created_at {order}, id {order}",
    "updated": "updated_at {order}, id {order}",
    "due": "due_on {order} NULLS LAST, id {order}",
    "priority": "array_position(ARRAY['low','medium','high'], priority) {order}, id {order}",
    "title": "lower(title) {order}, id {order}",
}
_QUERY = {
    "status": fields.one_of("status", *STATUSES, "open", "all", default="all"),
    "priority": fields.one_of("priority", *PRIORITIES, "all", default="all"),
    "due": fields.one_of("due", "overdue", "today", "week", "none", "all", default="all"),
    "search": fields.text("search", longest=200, required=False),
    "sort": fields.one_of("sort", *_SORTS, default="created"),
    "order": fields.one_of("order", "asc", "desc", default="desc"),
    "page": fields.whole_number("page", least=1, most=1_000_000, default=1),
    "per_page": fields.whole_number("per_page", least=1, most=100, default=20),
}
_DUE = {
    "overdue": "due_on < CURRENT_DATE AND status <> 'done'",
    "today": "due_on = CURRENT_DATE",
    "week": "due_on BETWEEN CURRENT_DATE AND CURRENT_DATE + 7",
    "none": "due_on IS NULL",
}
_COLUMNS = "id, title, description, status, priority, due_on, created_at, updated_at, completed_at"


@blueprint.get("/tasks")
@signed_in
def list_tasks() -> Response:
    query = fields.parse(request.args.to_dict(), _QUERY)
    where, parameters = ["user_id = %(user)s"], {"user": g.user_id}
    if query["status"] == "open":
        where.append("status <> 'done'")
    elif query["status"] != "all":
        where.append("status = %(status)s")
        parameters["status"] = query["status"]
    if query["priority"] != "all":
        where.append("priority = %(priority)s")
        parameters["priority"] = query["priority"]
    if query["due"] != "all":
        where.append(_DUE[query["due"]])
    if query["search"]:
        where.append("(title ILIKE %(search)s OR description ILIKE %(search)s)")
        parameters["search"] = f"%{_literally(query['search'])}%"
    condition = " AND ".join(where)
    order = _SORTS[query["sort"]].format(order=query["order"].upper())
    parameters["limit"] = query["per_page"]
    parameters["offset"] = (query["page"] - 1) * query["per_page"]
    with current_app.extensions["taskapp.database"].transaction() as cursor:
        cursor.execute(
            "SELECT count(*) AS all,"
            " count(*) FILTER (WHERE status = 'todo') AS todo,"
            " count(*) FILTER (WHERE status = 'in_progress') AS in_progress,"
            " count(*) FILTER (WHERE status = 'done') AS done,"
            " count(*) FILTER (WHERE due_on < CURRENT_DATE AND status <> 'done') AS overdue"
            " FROM tasks WHERE user_id = %(user)s",
            parameters,
        )
        counts = cursor.fetchone()
        cursor.execute(f"SELECT count(*) AS total FROM tasks WHERE {condition}", parameters)
        total = cursor.fetchone()["total"]
        cursor.execute(
            f"SELECT {_COLUMNS} FROM tasks WHERE {condition} ORDER BY {order}"
            " LIMIT %(limit)s OFFSET %(offset)s",
            parameters,
        )
        rows = cursor.fetchall()
    return jsonify(
        tasks=[_shown(row) for row in rows],
        page=query["page"],
        per_page=query["per_page"],
        pages=max(1, math.ceil(total / query["per_page"])),
        total=total,
        counts=dict(counts),
    )


@blueprint.post("/tasks")
@signed_in
def create_task() -> tuple[Response, int]:
    values = fields.parse(fields.body(), _TASK)
    try:
        with current_app.extensions["taskapp.database"].transaction() as cursor:
            cursor.execute(
                "INSERT INTO tasks (user_id, title, description, status, priority, due_on, completed_at)"
                " VALUES (%(user)s, %(title)s, %(description)s, %(status)s, %(priority)s, %(due_on)s,"
                " CASE WHEN %(status)s = 'done' THEN now() END)"
                f" RETURNING {_COLUMNS}",
                {**values, "user": g.user_id},
            )
            row = cursor.fetchone()
    except psycopg2.errors.ForeignKeyViolation:
        raise NotSignedIn("This account is no longer there. Please sign up again.") from None
    return jsonify(task=_shown(row)), 201


@blueprint.get("/tasks/<int:task_id>")
@signed_in
def get_task(task_id: int) -> Response:
    return _one(f"SELECT {_COLUMNS} FROM tasks WHERE id = %(id)s AND user_id = %(user)s", task_id)


@blueprint.patch("/tasks/<int:task_id>")
@signed_in
def update_task(task_id: int) -> Response:
    values = fields.parse(fields.body(), _TASK, partial=True)
    if not values:
        raise InvalidInput("There is nothing to change: send at least one field.")
    return _update(task_id, values)


@blueprint.post("/tasks/<int:task_id>/complete")
@signed_in
def complete_task(task_id: int) -> Response:
    return _update(task_id, {"status": "done"})


@blueprint.post("/tasks/<int:task_id>/reopen")
@signed_in
def reopen_task(task_id: int) -> Response:
    return _update(task_id, {"status": "todo"})


@blueprint.delete("/tasks/<int:task_id>")
@signed_in
def delete_task(task_id: int) -> tuple[str, int]:
    _one(f"DELETE FROM tasks WHERE id = %(id)s AND user_id = %(user)s RETURNING {_COLUMNS}", task_id)
    return "", 204


def _update(task_id: int, values: dict[str, Any]) -> Response:
    # The names come from the table of fields above, never from the client.
    changes = [f"{name} = %({name})s" for name in values] + ["updated_at = now()"]
    if "status" in values:
        changes.append("completed_at = CASE WHEN %(status)s = 'done' THEN coalesce(completed_at, now()) END")
    return _one(
        f"UPDATE tasks SET {', '.join(changes)} WHERE id = %(id)s AND user_id = %(user)s"
        f" RETURNING {_COLUMNS}",
        task_id,
        values,
    )


def _one(sql: str, task_id: int, values: dict[str, Any] | None = None) -> Response:
    """Run a statement that gives back one task of this user; 404 when there is none."""
    if task_id >= 2**63:  # more than PostgreSQL's bigint: there is no such task
        raise NotFound("There is no such task.")
    with current_app.extensions["taskapp.database"].transaction() as cursor:
        cursor.execute(sql, {**(values or {}), "id": task_id, "user": g.user_id})
        row = cursor.fetchone()
    if row is None:
        raise NotFound("There is no such task.")
    return jsonify(task=_shown(row))


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    dates = ("due_on", "created_at", "updated_at", "completed_at")
    return {key: value.isoformat() if key in dates and value else value for key, value in row.items()}


def _literally(text: str) -> str:
    """Text for LIKE in which nothing is a wildcard."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
