import type { Flag, Word } from "../../../common/command.ts";
import { Failure } from "../failure.ts";
import type { Verb } from "../verb.ts";

const SHELLS = ["bash", "zsh", "fish"] as const;

/** Names of services come from the server, when somebody asks for them. */
const NAMES = "zinit list 2>/dev/null | awk '{print $2}'";

export function completion(verbs: () => readonly Verb[]): Verb {
  return {
    name: "completion",
    about: "Print a script that teaches a shell to complete the command line",
    words: [{ name: "SHELL", required: true, help: "bash, zsh or fish", takes: SHELLS }],
    examples: ['eval "$(zinit completion bash)"'],
    run: (session, input) => {
      const shell = SHELLS.find((known) => known === input.word(0));
      if (shell === undefined) throw new Failure(`${input.word(0)}: expected bash, zsh or fish`);
      session.print({ bash, zsh, fish }[shell](verbs()));
    },
  };
}

function spellings(flags: readonly Flag[] = []): string {
  return [...flags, { long: "help" }].map((flag) => `--${flag.long}`).join(" ");
}

/** What stands in the first place: words, or where they come from. */
function offered({ commands, words = [] }: Verb): string | readonly string[] {
  if (commands !== undefined) return commands.map((each) => each.name);
  return words.length === 0 ? [] : offeredFor(words[0]);
}

function offeredFor(word: Word | undefined): string | readonly string[] {
  if (word?.takes === undefined) return "names";
  return word.takes === "nothing" ? [] : word.takes;
}

function bash(verbs: readonly Verb[]): string {
  const cases = verbs.map((verb) => {
    const words = offered(verb);
    const what =
      words === "names"
        ? `words="$(${NAMES})"`
        : words === "files"
          ? "files=1"
          : `words="${typeof words === "string" ? words : words.join(" ")}"`;
    return `    ${verb.name}) flags="${spellings(verb.flags)}"; ${what} ;;`;
  });
  return `_zinit() {
  local word="\${COMP_WORDS[COMP_CWORD]}" verb="" index flags="--socket --help --version" words="" files=""
  for ((index = 1; index < COMP_CWORD; index++)); do
    case "\${COMP_WORDS[index]}" in
      -s|--socket) ((++index)) ;;
      -*) ;;
      *) verb="\${COMP_WORDS[index]}"; break ;;
    esac
  done
  case "$verb" in
    "") words="${verbs.map((verb) => verb.name).join(" ")}" ;;
${cases.join("\n")}
  esac
  case "$word" in
    -*) COMPREPLY=($(compgen -W "$flags" -- "$word")) ;;
    *) [ -n "$files" ] && COMPREPLY=($(compgen -f -- "$word")) || COMPREPLY=($(compgen -W "$words" -- "$word")) ;;
  esac
}
complete -F _zinit zinit`;
}

function zsh(verbs: readonly Verb[]): string {
  const cases = verbs.map((verb) => {
    const words = offered(verb);
    const what =
      words === "names"
        ? `compadd -- \${(f)"$(${NAMES})"}`
        : words === "files"
          ? "_files"
          : `compadd -- ${typeof words === "string" ? words : words.join(" ")}`;
    return `    ${verb.name}) flags=(${spellings(verb.flags)}); ${what} ;;`;
  });
  return `#compdef zinit
_zinit() {
  local verb="" word
  local -a flags
  for word in "\${(@)words[2,CURRENT-1]}"; do
    [[ "$word" == -* ]] || { verb="$word"; break }
  done
  case "$verb" in
    "") compadd -- ${verbs.map((verb) => verb.name).join(" ")} ;;
${cases.join("\n")}
  esac
  [[ "\${words[CURRENT]}" == -* ]] && compadd -- $flags
}
if [[ "\${funcstack[1]}" == _zinit ]]; then _zinit "$@"; else compdef _zinit zinit; fi`;
}

function fish(verbs: readonly Verb[]): string {
  return verbs
    .flatMap((verb) => {
      const after = `complete -c zinit -n '__fish_seen_subcommand_from ${verb.name}'`;
      const words = offered(verb);
      const first =
        words === "names"
          ? `-f -a "(${NAMES.replaceAll("$", "\\$")})"`
          : words === "files"
            ? "-F"
            : `-f -a '${typeof words === "string" ? words : words.join(" ")}'`;
      return [
        `complete -c zinit -f -n __fish_use_subcommand -a ${verb.name} -d '${verb.about.replaceAll("'", "’")}'`,
        `${after} ${first}`,
        ...(verb.flags ?? []).map(
          (flag) => `${after} -l ${flag.long} -d '${flag.help.replaceAll("'", "’")}'`,
        ),
      ];
    })
    .join("\n");
}
