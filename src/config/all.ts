/** The config program with every dialect, and with what changes files of a running supervisor. */

import { plainDialect } from "../dialects/dialect.ts";
import { loadHorust } from "../dialects/horust/load.ts";
import { horust } from "../dialects/horust/read.ts";
import { loadSupervisors } from "../dialects/supervisors/load.ts";
import { readSupervisors } from "../dialects/supervisors/read.ts";
import { readZinit } from "../dialects/zinit/read.ts";
import { answerZinit } from "../dialects/zinit/server.ts";
import { serve } from "./program.ts";

serve({
  dialects: {
    Horust: horust(),
    supervisors: plainDialect(readSupervisors),
    zinit: plainDialect(readZinit),
  },
  horust: loadHorust,
  supervisors: loadSupervisors,
  zinit: answerZinit,
});
