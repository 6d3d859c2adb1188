/** The values of fields that name other services, tasks and targets. */
import {
  boolean,
  choice,
  complain,
  type Expected,
  either,
  list,
  map,
  type Out,
  object,
  type Reader,
  string,
} from "./kit.ts";
import type { Node } from "./node.ts";

const NAMES = "a list of names of services, tasks or targets";
const name = string({ title: "name", expected: "a name" });
export const names = list(name, { title: "list of names", expected: NAMES });

const LIST = { title: "list of names or tables", expected: NAMES };

/** A name, with the kind it must be of. */
const named = { service: name, task: name, target: name };

interface Named {
  readonly service?: string;
  readonly task?: string;
  readonly target?: string;
}

/** The one name that is in a table. */
function onlyName({ service, task, target }: Named, node: Node, reader: Reader): string | undefined {
  const given = [service, task, target].filter((part) => part !== undefined);
  const only = given[0];
  if (only !== undefined && given.length === 1) return only;
  const message = "expected exactly one of service, task and target";
  return complain(node, reader, "name or table", { message, hint: 'such as { task = "migrate" }' });
}

interface RequirementItem {
  readonly name: string;
  readonly bind: boolean;
  readonly start: boolean;
}

const REQUIREMENT: Expected & { title: string } = {
  title: "name or table",
  expected: 'a name, { task = "…" }, { target = "…" } or { service = "…", bind = true }',
};

const requirementTable = map(
  object({ ...named, bind: boolean, start: boolean }, REQUIREMENT),
  (given, node, reader): RequirementItem | undefined => {
    const { bind, start, service } = given;
    const only = onlyName(given, node, reader);
    if (only === undefined) return undefined;
    if (bind !== undefined && service === undefined) {
      const message = '"bind" goes with a service: a task or target cannot crash';
      return complain(node, reader, REQUIREMENT.title, { message, hint: 'leave out "bind"' });
    }
    return { name: only, bind: bind ?? false, start: start ?? true };
  },
);

const requirementName = map(name, (text): RequirementItem => ({ name: text, bind: false, start: true }));
export const requirements = list(
  either({ string: requirementName, table: requirementTable }, REQUIREMENT),
  LIST,
);

const FOLLOWING: Expected & { title: string } = {
  title: "name or table",
  expected: 'a name, or a table such as { service = "…", until = "begun" }',
};
const until = choice("ready", "begun", "up", "any");

interface FollowingItem {
  readonly name: string;
  readonly until: Out<typeof until>;
}

const followingName = map(name, (text): FollowingItem => ({ name: text, until: "ready" }));
const followingTable = map(
  object({ ...named, until }, FOLLOWING),
  (given, node, reader): FollowingItem | undefined => {
    const only = onlyName(given, node, reader);
    return only === undefined ? undefined : { name: only, until: given.until ?? "ready" };
  },
);

/** `after`: whom it follows, and how far they have to be. */
export const followings = list(either({ string: followingName, table: followingTable }, FOLLOWING), LIST);

const CONFLICT: Expected & { title: string } = {
  title: "name or table",
  expected: 'a name, or a table such as { service = "…", wait = true }',
};

interface ConflictItem {
  readonly name: string;
  readonly wait: boolean;
}

const conflictName = map(name, (text): ConflictItem => ({ name: text, wait: false }));
const conflictTable = map(
  object({ ...named, wait: boolean }, CONFLICT),
  (given, node, reader): ConflictItem | undefined => {
    const only = onlyName(given, node, reader);
    return only === undefined ? undefined : { name: only, wait: given.wait ?? false };
  },
);
export const conflicts = list(either({ string: conflictName, table: conflictTable }, CONFLICT), LIST);

const ACTION = {
  title: '"ignore", "stop-dependents", "shutdown" or table',
  expected: '"ignore", "stop-dependents", "shutdown" or { run = "task" }',
};

const actionTable = map(object({ run: name }, ACTION), ({ run }, node, reader) =>
  run === undefined
    ? complain(node, reader, ACTION.title, { message: "no task in it", hint: 'write { run = "task" }' })
    : { run },
);

/** What follows when a service has failed for good. */
export const failureAction = either(
  { string: choice("ignore", "stop-dependents", "shutdown"), table: actionTable },
  ACTION,
);
