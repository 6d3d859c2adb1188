/**
 * Fields of the format whose feature does not exist yet. They are refused by name, never ignored.
 * Whoever builds a feature moves its line from here into `schema.ts`.
 */

/** Of what is made of processes: services and tasks. */
const PROCESS = ["capabilities", "listen", "on-demand", "idle-stop", "instances"];

/** By the path of the table: `service`, `service.stop`, … */
export const LATER: Readonly<Record<string, readonly string[]>> = {
  service: PROCESS,
  task: PROCESS,
  "service.log": ["compress"],
  "task.log": ["compress"],
};
