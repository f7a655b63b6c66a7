// GET /api/health: the front end's own health. It says nothing about the API behind it, so that
// a failing API does not get the front end restarted as well.
export const dynamic = "force-dynamic";

export function GET() {
  return Response.json(
    {
      status: "healthy",
      service: "task-management-frontend",
      timestamp: new Date().toISOString(),
      uptime: Math.floor(process.uptime()),
      message: "Service is running normally",
    },
    { headers: { "Cache-Control": "no-store" } },
  );
}
