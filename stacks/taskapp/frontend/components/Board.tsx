"use client";

import { useRouter } from "next/navigation";
import { useCallback, useEffect, useRef, useState } from "react";
import { ApiError, type Status, type Task, type TaskInput, type TaskPage, type TaskQuery, api } from "@/lib/api";
import { useSession } from "@/lib/session";
import { Brand } from "./Brand";
import { ConfirmDelete } from "./ConfirmDelete";
import { Filters } from "./Filters";
import { QuickAdd } from "./QuickAdd";
import { TaskCard } from "./TaskCard";
import { TaskDialog } from "./TaskDialog";

const COLUMNS: { status: Status; label: string; empty: string }[] = [
  { status: "todo", label: "To do", empty: "Nothing waiting. Add a task above." },
  { status: "in_progress", label: "In progress", empty: "Start a task, and it shows up here." },
  { status: "done", label: "Done", empty: "What you complete lands here." },
];
const PAGE = 60;
const EVERYTHING: TaskQuery = {
  status: "all",
  priority: "all",
  due: "all",
  search: "",
  sort: "created",
  order: "desc",
  per_page: PAGE,
};

export function Board() {
  const { session, end } = useSession();
  const router = useRouter();
  const [query, setQuery] = useState(EVERYTHING);
  const [page, setPage] = useState<TaskPage | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  const [said, setSaid] = useState("");
  const [editing, setEditing] = useState<Task | null>(null);
  const [deleting, setDeleting] = useState<Task | null>(null);
  const latest = useRef(0);
  const token = session?.token;

  useEffect(() => {
    if (session === null) router.replace("/login");
  }, [session, router]);

  const failed = useCallback(
    (failure: unknown) => {
      const problem = failure as ApiError;
      if (problem.code === "not_signed_in") {
        end();
        router.replace("/login?expired");
      } else {
        setError(problem);
      }
    },
    [end, router],
  );

  const load = useCallback(async () => {
    if (!token) return;
    const mine = ++latest.current; // an older answer must not overwrite a newer one
    try {
      const answer = await api.tasks(token, query);
      if (mine !== latest.current) return;
      setPage(answer);
      setError(null);
    } catch (failure) {
      if (mine === latest.current) failed(failure);
    }
  }, [token, query, failed]);

  useEffect(() => {
    const wait = setTimeout(load, query.search ? 200 : 0); // let a person finish typing
    return () => clearTimeout(wait);
  }, [load, query.search]);

  /** Run a change, say what happened, and show the board as it now is. True if it went well. */
  async function change(action: () => Promise<unknown>, done: string): Promise<boolean> {
    try {
      await action();
      setSaid(done);
      setError(null);
      await load();
      return true;
    } catch (failure) {
      failed(failure);
      return false;
    }
  }

  if (!session || !token) return <main className="centered" aria-busy="true" />;

  const move = (task: Task, status: Status) =>
    change(
      () => api.updateTask(token, task.id, { status }),
      status === "done" ? `“${task.title}” is done. Well done!` : `“${task.title}” is ${status === "todo" ? "back to do" : "in progress"}.`,
    );
  const filtered = query.search !== "" || query.priority !== "all" || query.due !== "all";
  const shown = COLUMNS.filter(({ status }) => query.status === "all" || query.status === status);

  return (
    <>
      <header className="top">
        <Brand />
        <div className="who">
          <span className="avatar" aria-hidden="true">{session.user.name.trim().charAt(0).toUpperCase()}</span>
          <span id="user-name">{session.user.name}</span>
          <button className="button" id="log-out" type="button" onClick={() => { end(); router.replace("/login"); }}>
            Log out
          </button>
        </div>
      </header>
      <main className="board-page">
        <Greeting name={session.user.name} page={page} />
        {error && (
          <div className="notice bad" role="alert" id="board-error">
            <span>{error.message}</span>
            <button className="button" type="button" onClick={load}>Try again</button>
          </div>
        )}
        <QuickAdd onAdd={(task: TaskInput) => change(() => api.createTask(token, task), `“${task.title}” is on your list.`)} />
        <Filters query={query} counts={page?.counts} onChange={setQuery} />
        {page === null && !error && <p className="quiet loading" role="status">Loading your tasks…</p>}
        {page && filtered && page.total === 0 ? (
          <div className="empty" id="no-match">
            <p className="empty-title">No task matches</p>
            <p className="quiet">Try another word, or clear the filters.</p>
            <button className="button" type="button" onClick={() => setQuery(EVERYTHING)}>Clear filters</button>
          </div>
        ) : (
          page && (
            <div className="board" data-columns={shown.length}>
              {shown.map(({ status, label, empty }) => {
                const tasks = page.tasks.filter((task) => task.status === status);
                return (
                  <section className="column" key={status} aria-labelledby={`column-${status}`} data-status={status}>
                    <h2 id={`column-${status}`}>
                      <span className={`dot ${status}`} aria-hidden="true" />
                      {label} <span className="count">{filtered ? tasks.length : page.counts[status]}</span>
                    </h2>
                    {tasks.length === 0 && <p className="column-empty">{filtered ? "Nothing here matches." : empty}</p>}
                    <ul>
                      {tasks.map((task) => (
                        <TaskCard key={task.id} task={task} onMove={move} onEdit={setEditing} onDelete={setDeleting} />
                      ))}
                    </ul>
                  </section>
                );
              })}
            </div>
          )
        )}
        {page && page.total > page.tasks.length && query.per_page === PAGE && (
          <button className="button more" type="button" onClick={() => setQuery({ ...query, per_page: 100 })}>
            Show more
          </button>
        )}
        {page && page.total > page.tasks.length && query.per_page > PAGE && (
          <p className="quiet loading">Showing {page.tasks.length} of {page.total}. Use the search to find the rest.</p>
        )}
      </main>
      <div className="said" role="status" aria-live="polite" key={said} data-shown={said !== ""}>{said}</div>
      {editing && (
        <TaskDialog
          task={editing}
          onClose={() => setEditing(null)}
          onSave={(changes) => api.updateTask(token, editing.id, changes).then(async () => {
            setEditing(null);
            setSaid("Saved.");
            await load();
          })}
        />
      )}
      {deleting && (
        <ConfirmDelete
          task={deleting}
          onClose={() => setDeleting(null)}
          onConfirm={async () => {
            const task = deleting;
            setDeleting(null);
            await change(() => api.deleteTask(token, task.id), `“${task.title}” was deleted.`);
          }}
        />
      )}
    </>
  );
}

function Greeting({ name, page }: { name: string; page: TaskPage | null }) {
  const open = page ? page.counts.todo + page.counts.in_progress : 0;
  const overdue = page?.counts.overdue ?? 0;
  let line = "Nothing on your list yet. What is the first thing to do?";
  if (page && page.counts.all > 0) {
    line = open === 0 ? "Everything is done. Enjoy your day!" : `You have ${open} open ${open === 1 ? "task" : "tasks"}`;
    if (open > 0) line += overdue > 0 ? `, ${overdue} of them overdue.` : ".";
  }
  return (
    <div className="greeting">
      <h1>Hello, {name.split(" ")[0]}</h1>
      <p className="quiet" id="summary">{page ? line : "\u00a0"}</p>
    </div>
  );
}
