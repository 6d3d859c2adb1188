/**
 * Fields of the format whose feature does not exist yet. They are refused by name, never ignored.
 * Whoever builds a feature moves its line from here into `schema.ts`.
 */
const PROCESS = [
  "capabilities",
  "resources",
  "health",
  "watchdog",
  "listen",
  "on-demand",
  "idle-stop",
  "schedule",
  "every",
  "at-start",
  "instances",
];

/** By the path of the table: `service`, `service.stop`, … */
export const LATER: Readonly<Record<string, readonly string[]>> = {
  service: PROCESS,
  task: PROCESS,
  "service.ready": ["http", "notify", "listen", "status", "body", "headers", "initial-delay"],
  "service.log": ["compress"],
  "task.log": ["compress"],
  supervisor: ["start-concurrency", "restart-budget"],
};
