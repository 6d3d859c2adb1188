/** The OpenRPC document that `rpc.discover` answers. */

import type { Method } from "./method.ts";
import { PARAMETERS, type ParameterName } from "./params.ts";
import { SCHEMAS } from "./schemas.ts";

export function discovery(methods: readonly Method[]) {
  return {
    openrpc: "1.2.6",
    info: {
      title: "Zinit RPC API",
      description: "Services, their logs and their proxies, over newline-delimited JSON-RPC 2.0",
      version: "0.3.0",
    },
    methods: methods.filter(({ unlisted }) => unlisted !== true).map(described),
    components: { schemas: SCHEMAS },
  };
}

function described({ name, summary, needs = [], takes = [], reads = [], result }: Method) {
  return {
    name,
    summary,
    params: [
      ...reads,
      ...needs.map((parameter) => describedParameter(parameter, true)),
      ...takes.map((parameter) => describedParameter(parameter, false)),
    ],
    result,
  };
}

function describedParameter(name: ParameterName, required: boolean) {
  const { description, schema } = PARAMETERS[name];
  return { name, description, required, schema };
}
