"use client";

import { createContext, useCallback, useContext, useEffect, useMemo, useState } from "react";
import type { User } from "./api";

interface Session {
  token: string;
  user: User;
}

interface SessionContext {
  /** Undefined until the browser's storage has been read; null when nobody is logged in. */
  session: Session | null | undefined;
  begin: (session: Session) => void;
  end: () => void;
}

const KEY = "taskapp.session";
const Context = createContext<SessionContext | null>(null);

export function SessionProvider({ children }: { children: React.ReactNode }) {
  const [session, setSession] = useState<Session | null | undefined>(undefined);

  useEffect(() => {
    const read = () => {
      try {
        setSession(JSON.parse(window.localStorage.getItem(KEY) ?? "null"));
      } catch {
        setSession(null);
      }
    };
    read();
    // Log out in one tab, and the others follow.
    const changed = (event: StorageEvent) => event.key === KEY && read();
    window.addEventListener("storage", changed);
    return () => window.removeEventListener("storage", changed);
  }, []);

  const begin = useCallback((started: Session) => {
    window.localStorage.setItem(KEY, JSON.stringify(started));
    setSession(started);
  }, []);
  const end = useCallback(() => {
    window.localStorage.removeItem(KEY);
    setSession(null);
  }, []);
  const value = useMemo(() => ({ session, begin, end }), [session, begin, end]);
  return <Context.Provider value={value}>{children}</Context.Provider>;
}

export function useSession(): SessionContext {
  const context = useContext(Context);
  if (!context) throw new Error("useSession needs a SessionProvider around it");
  return context;
}
