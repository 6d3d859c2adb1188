import { stateText, statusIn } from "../states.ts";
import { nameOf, SERVICE, type Verb } from "../verb.ts";

export const status: Verb = {
  name: "status",
  about: "Show detailed status of a service",
  words: [SERVICE],
  examples: ["zinit status web"],
  run: (session, input) => {
    const { name, state, pid, exitCode, error } = statusIn(
      session.call("service.status", { name: nameOf(input) }),
    );
    session.print(
      `Service: ${name}`,
      `State:   ${stateText(state)}`,
      ...(pid > 0 ? [`PID:     ${pid}`] : []),
      ...(exitCode === null ? [] : [`Exit:    ${exitCode}`]),
      ...(error === null ? [] : [`Error:   ${error}`]),
    );
  },
};
