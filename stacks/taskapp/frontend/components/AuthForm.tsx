"use client";

import Link from "next/link";
import { useRouter } from "next/navigation";
import { useEffect, useState } from "react";
import { ApiError, api } from "@/lib/api";
import { useSession } from "@/lib/session";
import { Brand } from "./Brand";
import { Field } from "./Field";

const WORDS = {
  login: {
    heading: "Welcome back",
    lead: "Log in to see your tasks.",
    button: "Log in",
    busy: "Logging in…",
    other: "New here?",
    otherLink: "Create an account",
    otherHref: "/signup",
  },
  signup: {
    heading: "Create your account",
    lead: "It takes a few seconds, and your tasks stay yours.",
    button: "Sign up",
    busy: "Creating your account…",
    other: "Already have an account?",
    otherLink: "Log in",
    otherHref: "/login",
  },
};

export function AuthForm({ mode }: { mode: "login" | "signup" }) {
  const words = WORDS[mode];
  const { session, begin } = useSession();
  const router = useRouter();
  const [error, setError] = useState<ApiError | null>(null);
  const [busy, setBusy] = useState(false);
  const [expired, setExpired] = useState(false);

  useEffect(() => {
    if (session) router.replace("/tasks");
  }, [session, router]);
  useEffect(() => setExpired(new URLSearchParams(window.location.search).has("expired")), []);

  async function submit(event: React.FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const value = (name: string) => String(form.get(name) ?? "");
    setBusy(true);
    setError(null);
    setExpired(false);
    try {
      begin(
        mode === "login"
          ? await api.logIn(value("email"), value("password"))
          : await api.signUp(value("name"), value("email"), value("password")),
      );
    } catch (failure) {
      setError(failure as ApiError);
      setBusy(false);
    }
  }

  return (
    <main className="centered">
      <div className="card narrow">
        <Brand />
        <h1>{words.heading}</h1>
        <p className="quiet">{words.lead}</p>
        {expired && !error && <p className="notice" role="status">Your session has ended. Please log in again.</p>}
        {error && Object.keys(error.fields).length === 0 && <p className="notice bad" role="alert" id="form-error">{error.message}</p>}
        {/* noValidate: our own messages stand beside the field and are the same in every browser. */}
        <form onSubmit={submit} noValidate id={`${mode}-form`}>
          {mode === "signup" && (
            <Field id="name" label="Name" autoComplete="name" maxLength={80} error={error?.fields.name} autoFocus />
          )}
          <Field
            id="email"
            label="Email"
            type="email"
            inputMode="email"
            autoComplete="email"
            error={error?.fields.email}
            autoFocus={mode === "login"}
          />
          <Field
            id="password"
            label="Password"
            type="password"
            autoComplete={mode === "login" ? "current-password" : "new-password"}
            hint={mode === "signup" ? "At least 8 characters." : undefined}
            error={error?.fields.password}
          />
          <button className="button primary wide" id="submit" type="submit" disabled={busy}>
            {busy ? words.busy : words.button}
          </button>
        </form>
        <p className="switch">
          {words.other} <Link href={words.otherHref}>{words.otherLink}</Link>
        </p>
      </div>
    </main>
  );
}
