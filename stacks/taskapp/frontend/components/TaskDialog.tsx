"use client";

import { useState } from "react";
import type { ApiError, Priority, Status, Task, TaskInput } from "@/lib/api";
import { Field } from "./Field";
import { Modal } from "./Modal";

interface Props {
  task: Task;
  onClose: () => void;
  onSave: (changes: Partial<TaskInput>) => Promise<void>;
}

export function TaskDialog({ task, onClose, onSave }: Props) {
  const [error, setError] = useState<ApiError | null>(null);
  const [busy, setBusy] = useState(false);

  async function submit(event: React.FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const value = (name: string) => String(form.get(name) ?? "").trim();
    setBusy(true);
    try {
      await onSave({
        title: value("title"),
        description: value("description"),
        priority: value("priority") as Priority,
        status: value("status") as Status,
        due_on: value("due_on") || null,
      });
    } catch (failure) {
      setError(failure as ApiError);
      setBusy(false);
    }
  }

  return (
    <Modal label="Edit task" onClose={onClose}>
      <h2>Edit task</h2>
      {error && !error.fields.title && <p className="notice bad" role="alert">{error.message}</p>}
      <form onSubmit={submit} noValidate id="edit-form">
        <Field id="edit-title" name="title" label="Title" defaultValue={task.title} maxLength={200} error={error?.fields.title} />
        <div className="field">
          <label htmlFor="edit-description">Description</label>
          <textarea id="edit-description" name="description" rows={4} defaultValue={task.description} maxLength={5000} />
        </div>
        <div className="three">
          <div className="field">
            <label htmlFor="edit-status">Status</label>
            <select id="edit-status" name="status" defaultValue={task.status}>
              <option value="todo">To do</option>
              <option value="in_progress">In progress</option>
              <option value="done">Done</option>
            </select>
          </div>
          <div className="field">
            <label htmlFor="edit-priority">Priority</label>
            <select id="edit-priority" name="priority" defaultValue={task.priority}>
              <option value="high">High</option>
              <option value="medium">Medium</option>
              <option value="low">Low</option>
            </select>
          </div>
          <Field id="edit-due" name="due_on" label="Due date" type="date" defaultValue={task.due_on ?? ""} error={error?.fields.due_on} />
        </div>
        <div className="dialog-actions">
          <button className="button" type="button" onClick={onClose}>Cancel</button>
          <button className="button primary" id="save-task" type="submit" disabled={busy}>{busy ? "Saving…" : "Save"}</button>
        </div>
      </form>
    </Modal>
  );
}
