"use client";

import { useRef, useState } from "react";
import type { Priority, TaskInput } from "@/lib/api";

/** One line to add a task; details fold out for those who want them. */
export function QuickAdd({ onAdd }: { onAdd: (task: TaskInput) => Promise<boolean> }) {
  const [details, setDetails] = useState(false);
  const [busy, setBusy] = useState(false);
  const [missing, setMissing] = useState(false);
  const title = useRef<HTMLInputElement>(null);

  async function submit(event: React.FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const element = event.currentTarget;
    const form = new FormData(element);
    const value = (name: string) => String(form.get(name) ?? "").trim();
    setMissing(!value("title"));
    if (value("title")) {
      setBusy(true);
      const added = await onAdd({
        title: value("title"),
        description: value("description"),
        priority: (value("priority") || "medium") as Priority,
        due_on: value("due_on") || null,
      });
      setBusy(false);
      if (added) element.reset(); // on failure the words stay, to be sent again
    }
    title.current?.focus();
  }

  return (
    <form className="card quick-add" id="new-task-form" onSubmit={submit} noValidate>
      <div className="quick-line">
        <label className="hidden" htmlFor="new-task-title">New task</label>
        <input
          ref={title}
          id="new-task-title"
          name="title"
          placeholder="What needs to be done?"
          maxLength={200}
          autoComplete="off"
          aria-invalid={missing}
          aria-describedby={missing ? "new-task-error" : undefined}
          onChange={() => setMissing(false)}
        />
        <button className="button primary" id="add-task" type="submit" disabled={busy}>
          {busy ? "Adding…" : "Add task"}
        </button>
      </div>
      {missing && <p className="field-error" id="new-task-error" role="alert">Please give the task a title.</p>}
      {details && (
        <div className="quick-details" id="new-task-details">
          <div className="field grow">
            <label htmlFor="new-task-description">Description</label>
            <textarea id="new-task-description" name="description" rows={2} maxLength={5000} />
          </div>
          <div className="field">
            <label htmlFor="new-task-priority">Priority</label>
            <select id="new-task-priority" name="priority" defaultValue="medium">
              <option value="high">High</option>
              <option value="medium">Medium</option>
              <option value="low">Low</option>
            </select>
          </div>
          <div className="field">
            <label htmlFor="new-task-due">Due date</label>
            <input id="new-task-due" name="due_on" type="date" />
          </div>
        </div>
      )}
      <button
        className="link"
        id="toggle-details"
        type="button"
        aria-expanded={details}
        aria-controls="new-task-details"
        onClick={() => setDetails(!details)}
      >
        {details ? "Fewer details" : "Add details: description, priority, due date"}
      </button>
    </form>
  );
}
