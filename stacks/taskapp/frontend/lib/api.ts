// The only place that talks to the API. Every failure becomes an ApiError with a message
// that can be shown to a person as it is.

const BASE = (process.env.NEXT_PUBLIC_API_URL ?? "http://localhost:5000/api").replace(/\/$/, "");
const PATIENCE_MS = 15_000;

export type Status = "todo" | "in_progress" | "done";
export type Priority = "low" | "medium" | "high";

export interface User {
  id: number;
  email: string;
  name: string;
}

export interface Task {
  id: number;
  title: string;
  description: string;
  status: Status;
  priority: Priority;
  due_on: string | null;
  created_at: string;
  updated_at: string;
  completed_at: string | null;
}

export interface TaskInput {
  title: string;
  description: string;
  priority: Priority;
  due_on: string | null;
  status?: Status;
}

export interface TaskQuery {
  status: Status | "all";
  priority: Priority | "all";
  due: "all" | "overdue" | "today" | "week" | "none";
  search: string;
  sort: "created" | "due" | "priority" | "title";
  order: "asc" | "desc";
  per_page: number;
}

export interface TaskPage {
  tasks: Task[];
  total: number;
  counts: Record<Status | "all" | "overdue", number>;
}

export class ApiError extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly status = 0,
    readonly fields: Record<string, string> = {},
  ) {
    super(message);
  }
}

async function request<T>(method: string, path: string, token: string | null, body?: unknown): Promise<T> {
  const headers: Record<string, string> = {};
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response: Response;
  try {
    response = await fetch(`${BASE}${path}`, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
  } catch {
    throw new ApiError(
      "unreachable",
      "We can't reach the server right now. Please check your connection and try again in a moment.",
    );
  }
  if (response.status === 204) return undefined as T;
  const answer = await response.json().catch(() => null);
  if (!response.ok) {
    const error = answer?.error;
    throw new ApiError(
      error?.code ?? "unknown",
      error?.message ?? `The server answered with an error (${response.status}). Please try again.`,
      response.status,
      error?.fields,
    );
  }
  return answer as T;
}

interface Session {
  token: string;
  user: User;
}

export const api = {
  signUp: (name: string, email: string, password: string) =>
    request<Session>("POST", "/auth/signup", null, { name, email, password }),
  logIn: (email: string, password: string) =>
    request<Session>("POST", "/auth/login", null, { email, password }),
  tasks: (token: string, query: TaskQuery) => {
    const { search, ...rest } = query;
    const parameters = new URLSearchParams(Object.entries(rest).map(([key, value]) => [key, String(value)]));
    if (search.trim()) parameters.set("search", search.trim());
    return request<TaskPage>("GET", `/tasks?${parameters}`, token);
  },
  createTask: (token: string, task: TaskInput) => request<{ task: Task }>("POST", "/tasks", token, task),
  updateTask: (token: string, id: number, changes: Partial<TaskInput>) =>
    request<{ task: Task }>("PATCH", `/tasks/${id}`, token, changes),
  deleteTask: (token: string, id: number) => request<void>("DELETE", `/tasks/${id}`, token),
};
