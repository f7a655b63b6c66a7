"use client";

import type { Priority, Status, Task } from "@/lib/api";

const PRIORITY: Record<Priority, string> = { low: "Low priority", medium: "Medium priority", high: "High priority" };

interface Props {
  task: Task;
  onMove: (task: Task, status: Status) => void;
  onEdit: (task: Task) => void;
  onDelete: (task: Task) => void;
}

export function TaskCard({ task, onMove, onEdit, onDelete }: Props) {
  const done = task.status === "done";
  return (
    <li className="task" data-testid="task" data-status={task.status} data-priority={task.priority}>
      <button
        className="tick"
        type="button"
        role="checkbox"
        aria-checked={done}
        aria-label={done ? `Reopen ${task.title}` : `Complete ${task.title}`}
        data-action="complete"
        onClick={() => onMove(task, done ? "todo" : "done")}
      >
        <svg viewBox="0 0 20 20" width="14" height="14" aria-hidden="true">
          <path d="M4 10.5l4 4 8-9" fill="none" stroke="currentColor" strokeWidth="3" strokeLinecap="round" strokeLinejoin="round" />
        </svg>
      </button>
      <div className="task-body">
        <p className="task-title">{task.title}</p>
        {task.description && <p className="task-description">{task.description}</p>}
        <p className="task-meta">
          <span className={`pill ${task.priority}`}>{PRIORITY[task.priority]}</span>
          {task.due_on && <Due date={task.due_on} done={done} />}
        </p>
        <div className="task-actions">
          {task.status === "todo" && (
            <button className="link" type="button" data-action="start" aria-label={`Start ${task.title}`} onClick={() => onMove(task, "in_progress")}>Start</button>
          )}
          {task.status === "in_progress" && (
            <button className="link" type="button" data-action="pause" aria-label={`Move ${task.title} back to do`} onClick={() => onMove(task, "todo")}>Back to do</button>
          )}
          <button className="link" type="button" data-action="edit" aria-label={`Edit ${task.title}`} onClick={() => onEdit(task)}>Edit</button>
          <button className="link danger" type="button" data-action="delete" aria-label={`Delete ${task.title}`} onClick={() => onDelete(task)}>Delete</button>
        </div>
      </div>
    </li>
  );
}

function Due({ date, done }: { date: string; done: boolean }) {
  const [year, month, day] = date.split("-").map(Number);
  const today = new Date();
  const due = new Date(year, month - 1, day);
  const days = Math.round((due.getTime() - new Date(today.getFullYear(), today.getMonth(), today.getDate()).getTime()) / 86_400_000);
  const words =
    days === 0 ? "today" : days === 1 ? "tomorrow" : days === -1 ? "yesterday"
      : due.toLocaleDateString("en", { day: "numeric", month: "short", year: year === today.getFullYear() ? undefined : "numeric" });
  const late = days < 0 && !done;
  return <time className={late ? "due late" : "due"} dateTime={date}>{late ? `Overdue: ${words}` : `Due ${words}`}</time>;
}
