/** What a running server asks of the config program. */
import type { EditHost } from "../../cli/host.ts";
import type { ZinitInput, ZinitOutput } from "../../config/contract.ts";
import { deleteServices, setService } from "./edits.ts";
import { loadFolders } from "./folder.ts";

export function answerZinit(input: ZinitInput, host: EditHost): ZinitOutput {
  switch (input.zinit) {
    case "load":
      return loadFolders(input, host);
    case "set":
      return setService(input, host);
    case "delete":
      return deleteServices(input, host);
  }
}
