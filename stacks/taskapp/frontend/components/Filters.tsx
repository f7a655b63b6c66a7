"use client";

import type { TaskPage, TaskQuery } from "@/lib/api";

const TABS: { value: TaskQuery["status"]; label: string }[] = [
  { value: "all", label: "All" },
  { value: "todo", label: "To do" },
  { value: "in_progress", label: "In progress" },
  { value: "done", label: "Done" },
];
const SORTS: { value: string; label: string }[] = [
  { value: "created desc", label: "Newest first" },
  { value: "created asc", label: "Oldest first" },
  { value: "due asc", label: "Due date" },
  { value: "priority desc", label: "Priority" },
  { value: "title asc", label: "Title" },
];

interface Props {
  query: TaskQuery;
  counts?: TaskPage["counts"];
  onChange: (query: TaskQuery) => void;
}

export function Filters({ query, counts, onChange }: Props) {
  const set = (changes: Partial<TaskQuery>) => onChange({ ...query, ...changes });
  return (
    <div className="filters" role="search">
      <div className="tabs" role="group" aria-label="Filter by status">
        {TABS.map(({ value, label }) => (
          <button
            key={value}
            id={`filter-${value}`}
            type="button"
            aria-pressed={query.status === value}
            onClick={() => set({ status: value })}
          >
            {label} {counts && <span className="count">{counts[value]}</span>}
          </button>
        ))}
      </div>
      <div className="refine">
        <label className="hidden" htmlFor="search">Search tasks</label>
        <input
          id="search"
          type="search"
          placeholder="Search"
          value={query.search}
          onChange={(event) => set({ search: event.target.value })}
        />
        <label className="hidden" htmlFor="filter-priority">Priority</label>
        <select
          id="filter-priority"
          value={query.priority}
          onChange={(event) => set({ priority: event.target.value as TaskQuery["priority"] })}
        >
          <option value="all">Any priority</option>
          <option value="high">High priority</option>
          <option value="medium">Medium priority</option>
          <option value="low">Low priority</option>
        </select>
        <label className="hidden" htmlFor="filter-due">Due</label>
        <select
          id="filter-due"
          value={query.due}
          onChange={(event) => set({ due: event.target.value as TaskQuery["due"] })}
        >
          <option value="all">Any due date</option>
          <option value="overdue">Overdue</option>
          <option value="today">Due today</option>
          <option value="week">Due within a week</option>
          <option value="none">No due date</option>
        </select>
        <label className="hidden" htmlFor="sort">Sort by</label>
        <select
          id="sort"
          value={`${query.sort} ${query.order}`}
          onChange={(event) => {
            const [sort, order] = event.target.value.split(" ");
            set({ sort: sort as TaskQuery["sort"], order: order as TaskQuery["order"] });
          }}
        >
          {SORTS.map(({ value, label }) => (
            <option key={value} value={value}>{label}</option>
          ))}
        </select>
      </div>
    </div>
  );
}
