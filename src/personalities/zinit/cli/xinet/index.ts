import type { Verb } from "../verb.ts";
import { list } from "./list.ts";
import { register } from "./register.ts";
import { status } from "./status.ts";
import { unregister } from "./unregister.ts";

export const xinet: Verb = {
  name: "xinet",
  about: "Xinet socket activation proxy management",
  commands: [register, unregister, list, status],
  examples: ["zinit xinet register db --listen 0.0.0.0:5432 --backend unix:/run/db.sock --service db"],
};
