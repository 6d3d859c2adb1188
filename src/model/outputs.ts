/** The values of `stdout` and `stderr`: where output goes. */
import { choice, complain, either, map, object } from "./kit.ts";
import { octal, path } from "./values.ts";

/** `own`: that of the supervisor. `same` is stderr's alone: wherever stdout goes. */
export type OutputTarget =
  | { readonly type: "log" }
  | { readonly type: "own"; readonly stream: "stdout" | "stderr" }
  | { readonly type: "file"; readonly path: string; readonly mode: number };

const FILE_MODE = 0o666;

/** Of a file that is made; the umask goes off it. */
const fileMode = octal(
  /^0?[0-7]{3}$/,
  'permissions as a string of octal digits, such as "0640"',
  "not the permissions of a file",
  'write three octal digits, such as "640"',
);

function output<const Word extends "log" | "stdout" | "stderr" | "same">(...words: readonly Word[]) {
  const quoted = words.map((word) => `"${word}"`).join(", ");
  const expected = `${quoted} or { file = "PATH" }`;
  const about = { title: `${quoted} or table`, expected };
  const table = map(
    object({ file: path, mode: fileMode }, about),
    (given, node, reader): OutputTarget | undefined =>
      given.file === undefined
        ? complain(node, reader, about.title, { message: "no file in it", hint: 'write { file = "PATH" }' })
        : { type: "file", path: given.file, mode: given.mode ?? FILE_MODE },
  );
  return { about, table, word: choice(...words) };
}

const toStdout = output("log", "stdout", "stderr");
const toStderr = output("log", "stdout", "stderr", "same");

function target(word: "log" | "stdout" | "stderr"): OutputTarget {
  return word === "log" ? { type: "log" } : { type: "own", stream: word };
}

export const stdout = either({ string: map(toStdout.word, target), table: toStdout.table }, toStdout.about);
export const stderr = either(
  {
    string: map(toStderr.word, (word): OutputTarget | { readonly type: "same" } =>
      word === "same" ? { type: "same" } : target(word),
    ),
    table: toStderr.table,
  },
  toStderr.about,
);
