/** The config program with every dialect, and with what changes files of a running supervisor. */
import { readZinit } from "../dialects/zinit/read.ts";
import { answerZinit } from "../dialects/zinit/server.ts";
import { serve } from "./program.ts";

serve({ dialects: { zinit: readZinit }, zinit: answerZinit });
