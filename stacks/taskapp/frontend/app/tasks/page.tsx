import type { Metadata } from "next";
import { Board } from "@/components/Board";

export const metadata: Metadata = { title: "Your tasks" };

export default function Tasks() {
  return <Board />;
}
