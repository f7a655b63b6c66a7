from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def me(signed_up: Callable[..., dict[str, str]]) -> dict[str, str]:
    return signed_up()


def _create(client: Any, me: dict[str, str], title: str, **fields: Any) -> dict[str, Any]:
    answer = client.post("/api/tasks", headers=me, json={"title": title, **fields})
    assert answer.status_code == 201, answer.json
    return dict(answer.json["task"])


def _titles(client: Any, me: dict[str, str], **query: Any) -> list[str]:
    answer = client.get("/api/tasks", headers=me, query_string=query)
    assert answer.status_code == 200, answer.json
    return [task["title"] for task in answer.json["tasks"]]


def test_a_new_task_is_to_do_with_medium_priority(client: Any, me: dict[str, str]) -> None:
    task = _create(client, me, "  Buy milk ")
    assert (task["title"], task["status"], task["priority"]) == ("Buy milk", "todo", "medium")
    assert task["due_on"] is None and task["completed_at"] is None
    assert client.get(f"/api/tasks/{task['id']}", headers=me).json["task"] == task


def test_completing_notes_when_and_reopening_forgets_it(client: Any, me: dict[str, str]) -> None:
    task = _create(client, me, "Buy milk")
    done = client.post(f"/api/tasks/{task['id']}/complete", headers=me).json["task"]
    assert done["status"] == "done" and done["completed_at"]
    again = client.post(f"/api/tasks/{task['id']}/complete", headers=me).json["task"]
    assert again["completed_at"] == done["completed_at"]
    opened = client.post(f"/api/tasks/{task['id']}/reopen", headers=me).json["task"]
    assert opened["status"] == "todo" and opened["completed_at"] is None


def test_update_changes_only_what_is_sent(client: Any, me: dict[str, str]) -> None:
    task = _create(client, me, "Buy milk", description="two litres", due_on="2030-05-01")
    answer = client.patch(f"/api/tasks/{task['id']}", headers=me, json={"priority": "high", "due_on": None})
    changed = answer.json["task"]
    assert (changed["priority"], changed["due_on"], changed["description"]) == ("high", None, "two litres")


def test_a_deleted_task_is_gone(client: Any, me: dict[str, str]) -> None:
    task = _create(client, me, "Buy milk")
    assert client.delete(f"/api/tasks/{task['id']}", headers=me).status_code == 204
    assert client.delete(f"/api/tasks/{task['id']}", headers=me).status_code == 404
    assert _titles(client, me) == []


@pytest.mark.parametrize("method", ["get", "patch", "delete", "complete"])
def test_other_people_s_tasks_do_not_exist_for_me(
    client: Any, me: dict[str, str], signed_up: Callable[..., dict[str, str]], method: str
) -> None:
    task = _create(client, me, "My secret")
    other = signed_up("eve@example.org")
    path = f"/api/tasks/{task['id']}"
    if method == "complete":
        answer = client.post(f"{path}/complete", headers=other)
    elif method == "patch":
        answer = client.patch(path, headers=other, json={"title": "stolen"})
    else:
        answer = getattr(client, method)(path, headers=other)
    assert (answer.status_code, answer.json["error"]["code"]) == (404, "not_found")
    assert _titles(client, other) == []
    assert _titles(client, me) == ["My secret"]


def test_filters_search_and_sorting(client: Any, me: dict[str, str]) -> None:
    today = datetime.datetime.now(datetime.UTC).date()
    _create(client, me, "alpha", priority="low", due_on=str(today - datetime.timedelta(days=1)))
    _create(client, me, "Beta", priority="high", due_on=str(today), description="with 100% gamma")
    _create(client, me, "delta", status="done", due_on=str(today - datetime.timedelta(days=9)))
    assert _titles(client, me) == ["delta", "Beta", "alpha"]
    assert _titles(client, me, sort="title", order="asc") == ["alpha", "Beta", "delta"]
    assert _titles(client, me, sort="priority") == ["Beta", "delta", "alpha"]
    assert _titles(client, me, sort="due", order="asc") == ["delta", "alpha", "Beta"]
    assert _titles(client, me, status="open") == ["Beta", "alpha"]
    assert _titles(client, me, status="done") == ["delta"]
    assert _titles(client, me, priority="low") == ["alpha"]
    assert _titles(client, me, due="overdue") == ["alpha"]
    assert _titles(client, me, due="today") == ["Beta"]
    assert _titles(client, me, search="GAMMA") == ["Beta"]
    assert _titles(client, me, search="100%") == ["Beta"]
    assert _titles(client, me, search="_") == []


def test_pages_and_counts(client: Any, me: dict[str, str]) -> None:
    for number in range(5):
        _create(client, me, f"task {number}", status="done" if number == 0 else "todo")
    answer = client.get("/api/tasks?per_page=2&page=3", headers=me).json
    assert (len(answer["tasks"]), answer["page"], answer["pages"], answer["total"]) == (1, 3, 3, 5)
    assert answer["counts"] == {"all": 5, "todo": 4, "in_progress": 0, "done": 1, "overdue": 0}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "title"),
        ({"title": "  "}, "title"),
        ({"title": "x" * 201}, "title"),
        ({"title": 7}, "title"),
        ({"title": "nul \0 byte"}, "title"),
        ({"title": "x", "status": "lost"}, "status"),
        ({"title": "x", "priority": 1}, "priority"),
        ({"title": "x", "due_on": "tomorrow"}, "due_on"),
        ({"title": "x", "due_on": 20300101}, "due_on"),
        ({"title": "x", "owner": 2}, "owner"),
    ],
)
def test_wrong_input_names_the_field(client: Any, me: dict[str, str], body: Any, field: str) -> None:
    answer = client.post("/api/tasks", headers=me, json=body)
    assert answer.status_code == 422
    assert list(answer.json["error"]["fields"]) == [field]


@pytest.mark.parametrize("query", ["sort=password", "order=up", "page=0", "page=x", "per_page=1000", "foo=1"])
def test_wrong_query_is_refused(client: Any, me: dict[str, str], query: str) -> None:
    assert client.get(f"/api/tasks?{query}", headers=me).status_code == 422


def test_an_id_larger_than_the_database_s_is_not_found(client: Any, me: dict[str, str]) -> None:
    assert client.get(f"/api/tasks/{10**30}", headers=me).status_code == 404
