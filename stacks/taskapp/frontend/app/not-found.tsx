import Link from "next/link";
import { Brand } from "@/components/Brand";

export default function NotFound() {
  return (
    <main className="centered">
      <div className="card narrow">
        <Brand />
        <h1>This page is not here</h1>
        <p className="quiet">The address may be mistyped, or the page has moved.</p>
        <Link className="button primary wide" href="/">
          Back to the start
        </Link>
      </div>
    </main>
  );
}
