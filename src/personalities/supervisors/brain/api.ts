/** The HTTP API: anybody may ask whether it is there, and which programs are running. */
import type { Answer } from "../../../api/answer.ts";
import type { Context } from "../../../api/context.ts";
import type { HttpCall } from "../../../api/desk.ts";
import type { Services } from "../../../api/services.ts";
import type { ServiceView } from "../../../engine/index.ts";

const HELLO = "Supervisor Running. Check /status";

const PAGES: Readonly<Record<string, (services: Services) => Answer>> = {
  "/": hello,
  "/health": hello,
  "/status": status,
};

/** What is after a `?` is ignored. */
export function answerPublic({ method, path }: HttpCall, { services }: Context): Answer {
  const page = Object.hasOwn(PAGES, path) ? PAGES[path] : undefined;
  if (page === undefined) return nothing(404, {});
  return method === "GET" || method === "HEAD" ? page(services) : nothing(405, { Allow: "GET,HEAD" });
}

function nothing(code: number, headers: Readonly<Record<string, string>>): Answer {
  return { status: code, plain: "", contentType: "", headers };
}

function hello(): Answer {
  return { status: 200, plain: HELLO, contentType: "text/plain; charset=utf-8" };
}

function status(services: Services): Answer {
  return { status: 200, text: services.untilNextStep(() => JSON.stringify(statuses(services))) };
}

function statuses(services: Services): { name: string; running: boolean }[] {
  return services.names().map((name) => {
    const view = services.view(name);
    return { name, running: view !== null && isRunning(view) };
  });
}

/** Its process is there, or about to be. */
function isRunning({ state, pid }: ServiceView): boolean {
  return pid !== null || state === "starting";
}
