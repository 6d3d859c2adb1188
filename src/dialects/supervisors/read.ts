/** supervisors' file for `oneup run` and `oneup check`. */
import type { Node } from "../../model/node.ts";
import type { Definition, ReadContext, Reading } from "../dialect.ts";
import { decode, type Program } from "./decode.ts";
import { specOf } from "./spec.ts";

export function readSupervisors(root: Node, context: ReadContext): Reading {
  const { programs } = decode(root, context);
  const listen = root.get("listen");
  if (listen !== undefined && listen.value !== "") {
    const hint = "call oneup as supervisors for that, or see the API that it has by itself";
    context.warnings.at(listen.keyPlace, "listen: oneup itself does not answer there", hint);
  }
  const definitions = programs.map((program) => definitionOf(program, context));
  return { definitions, settings: [], supervisor: {} };
}

function definitionOf(program: Program, { cwd }: ReadContext): Definition {
  const { name, node } = program;
  return {
    name,
    kind: "service",
    node,
    spec: specOf(program, cwd),
    relations: [],
    handler: null,
    main: null,
  };
}
