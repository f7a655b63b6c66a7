"use client";

import { useRouter } from "next/navigation";
import { useEffect } from "react";
import { useSession } from "@/lib/session";

export default function Home() {
  const { session } = useSession();
  const router = useRouter();
  useEffect(() => {
    if (session !== undefined) router.replace(session ? "/tasks" : "/login");
  }, [session, router]);
  return <main className="centered" aria-busy="true" />;
}
