/** What a running server asks of the config program. */
import type { EditHost } from "../../cli/host.ts";
import type { ZinitInput, ZinitOutput } from "../../config/contract.ts";
import { deleteServices, readService, setService } from "./edits.ts";
import { loadFolders } from "./folder.ts";
import { keepProxies } from "./xinet.ts";

export function answerZinit(input: ZinitInput, host: EditHost): ZinitOutput {
  switch (input.zinit) {
    case "load":
      return loadFolders(input, host);
    case "set":
      return setService(input, host);
    case "delete":
      return deleteServices(input, host);
    case "read":
      return readService(input, host);
    case "xinet":
      return keepProxies(input, host);
  }
}
