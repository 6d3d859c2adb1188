import { objects, text } from "../documents.ts";
import { EXIT, Failure, usage } from "../failure.ts";
import { EVERYWHERE, OPTION_NAMES, OPTIONS, type OptionName } from "../options.ts";
import type { Takes, Verb } from "../verb.ts";

const SHELLS = ["bash", "zsh", "fish"] as const;

/** The verb that the scripts call for names: the smallest request there is, and silent. */
const NAMES_VERB = "_names";

/** Completion is made from the table of verbs, so it needs that table. */
export function completionVerbs(verbs: () => readonly Verb[]): readonly Verb[] {
  return [completion(verbs), names];
}

const names: Verb = {
  name: NAMES_VERB,
  group: "Tools",
  summary: "names of services, one a line",
  usage: [NAMES_VERB],
  detail: [],
  examples: [],
  options: [],
  takes: "nothing",
  least: 0,
  most: 0,
  hidden: true,
  run: (session) => {
    try {
      session.printAll(objects(session.client().get("/status")).map((service) => text(service, "name")));
    } catch (error) {
      // Somebody is typing: a message would land in the middle of the line.
      if (error instanceof Failure) return error.exit;
      throw error;
    }
    return EXIT.done;
  },
};

function completion(verbs: () => readonly Verb[]): Verb {
  return {
    name: "completion",
    group: "Tools",
    summary: "a script that teaches a shell to complete oneup's command line",
    usage: ["completion bash|zsh|fish"],
    detail: ["Names of services are completed too, from the supervisor that the folder belongs to."],
    examples: [
      'eval "$(oneup completion bash)"',
      "oneup completion fish > ~/.config/fish/completions/oneup.fish",
    ],
    options: [],
    takes: SHELLS,
    least: 1,
    most: 1,
    run: (session, input) => {
      const shell = SHELLS.find((known) => known === input.words[0]);
      if (shell === undefined) {
        throw usage(`"${input.words[0]}" is none of ${SHELLS.join(", ")}`, "completion");
      }
      const shown = verbs().filter((verb) => verb.hidden !== true);
      session.print({ bash: bashScript, zsh: zshScript, fish: fishScript }[shell](shown));
      return EXIT.done;
    },
  };
}

function optionsOf(verb: Verb): OptionName[] {
  return [...verb.options, ...EVERYWHERE];
}

function bashScript(verbs: readonly Verb[]): string {
  const cases = verbs.map((verb) => {
    const options = optionsOf(verb).map((option) => `--${option}`);
    return `    ${verb.name}) options="${options.join(" ")}"; ${bashWords(verb)} ;;`;
  });
  const withValue = OPTION_NAMES.filter((name) => OPTIONS[name].value !== undefined);
  const values = withValue.map((name) => `    ${spellings(name).join("|")}) ${bashValue(name)} ;;`);
  return `_oneup() {
  local word="\${COMP_WORDS[COMP_CWORD]}" last="" verb="" socket="" count=0 index options="" words=""
  COMPREPLY=()
  for ((index = 1; index < COMP_CWORD; index++)); do
    last="\${COMP_WORDS[index]}"
    case "$last" in
      --) break ;;
      --socket) ((++index)); [ "\${COMP_WORDS[index]}" = "=" ] && ((++index)); socket="\${COMP_WORDS[index]}" ;;
      ${withValue
        .filter((name) => name !== "socket")
        .flatMap(spellings)
        .join("|")}) ((++index)); [ "\${COMP_WORDS[index]}" = "=" ] && ((++index)) ;;
      -*) ;;
      *) [ -z "$verb" ] && verb="$last" || ((++count)) ;;
    esac
    ((index < COMP_CWORD)) && last=""
  done
  [ "$word" = "=" ] && word=""
  case "$last" in
    --) ((index == COMP_CWORD - 1)) && words="//command" || words="//file" ;;
${values.join("\n")}
    *) ;;
  esac
  [ -z "$last" ] && case "$verb" in
    "") words="${verbs.map((verb) => verb.name).join(" ")}"; options="${EVERYWHERE.map((option) => `--${option}`).join(" ")}" ;;
${cases.join("\n")}
  esac
  case "$word" in
    -*) COMPREPLY=($(compgen -W "$options" -- "$word")); return ;;
  esac
  case "$words" in
    //command) COMPREPLY=($(compgen -c -- "$word")) ;;
    //file) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$word")) ;;
    //folder) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -d -- "$word")) ;;
    *) COMPREPLY=($(compgen -W "$words" -- "$word")) ;;
  esac
}
complete -F _oneup oneup`;
}

function spellings(name: OptionName): string[] {
  const { short } = OPTIONS[name];
  return [`--${name}`, ...(short === undefined ? [] : [`-${short}`])];
}

function bashValue(name: OptionName): string {
  if (name === "socket") return 'words="//file"';
  return `words="${OPTIONS[name].choices?.join(" ") ?? ""}"`;
}

function bashWords({ takes, afterFirst }: Verb): string {
  const first = bashTaken(takes);
  return afterFirst === undefined ? first : `((count > 0)) && words="${afterFirst.join(" ")}" || ${first}`;
}

function bashTaken(takes: Takes): string {
  if (takes === "services") {
    // The program as it was called, and the supervisor that the line names.
    return `words="$("\${COMP_WORDS[0]}" ${NAMES_VERB} \${socket:+--socket "$socket"} 2>/dev/null)"`;
  }
  if (takes === "paths") return 'words="//file"';
  if (takes === "folders") return 'words="//folder"';
  return `words="${takes === "nothing" ? "" : takes.join(" ")}"`;
}

function zshScript(verbs: readonly Verb[]): string {
  const described = verbs.map((verb) => `'${quoted(`${verb.name}:${verb.summary}`)}'`);
  const cases = verbs.map((verb) => {
    const options = optionsOf(verb).map((option) => `--${option}`);
    return `    ${verb.name}) options=(${options.join(" ")}); ${zshWords(verb.takes)} ;;`;
  });
  return `#compdef oneup
_oneup() {
  local verb="" word
  local -a options verbs
  for word in "\${(@)words[2,CURRENT-1]}"; do
    [[ "$word" == -* ]] || { verb="$word"; break }
  done
  if [[ -z "$verb" ]]; then
    verbs=(${described.join(" ")})
    _describe verb verbs
    return
  fi
  case "$verb" in
${cases.join("\n")}
  esac
  [[ "\${words[CURRENT]}" == -* ]] && compadd -- $options
}
# Loaded by the completion system itself, or sourced.
if [[ "\${funcstack[1]}" == _oneup ]]; then _oneup "$@"; else compdef _oneup oneup; fi`;
}

function zshWords(takes: Takes): string {
  if (takes === "services") return `compadd -- \${(f)"$(oneup ${NAMES_VERB} 2>/dev/null)"}`;
  if (takes === "paths") return "_files";
  if (takes === "folders") return "_files -/";
  return takes === "nothing" ? ":" : `compadd -- ${takes.join(" ")}`;
}

function fishScript(verbs: readonly Verb[]): string {
  const lines = verbs.flatMap((verb) => {
    const after = `-n '__fish_seen_subcommand_from ${verb.name}'`;
    const own = verb.options.map((name) => `complete -c oneup ${after} ${fishOption(name)}`);
    return [
      `complete -c oneup -f -n __fish_use_subcommand -a ${verb.name} -d '${quoted(verb.summary)}'`,
      ...fishWords(verb.takes).map((words) => `complete -c oneup ${after} ${words}`),
      ...own,
    ];
  });
  return [...lines, ...EVERYWHERE.map((name) => `complete -c oneup ${fishOption(name)}`)].join("\n");
}

function fishOption(name: OptionName): string {
  const { short, value, choices, help } = OPTIONS[name];
  const letter = short === undefined ? "" : ` -s ${short}`;
  const argument = value === undefined ? "" : choices === undefined ? " -r" : ` -x -a '${choices.join(" ")}'`;
  return `-l ${name}${letter}${argument} -d '${quoted(help)}'`;
}

function fishWords(takes: Takes): string[] {
  if (takes === "services") return [`-f -a '(oneup ${NAMES_VERB} 2>/dev/null)'`];
  if (takes === "paths") return ["-F"];
  if (takes === "folders") return ["-x -a '(__fish_complete_directories)'"];
  return takes === "nothing" ? ["-f"] : [`-f -a '${takes.join(" ")}'`];
}

/** Inside single quotes of any of the three shells none may stand. */
function quoted(text: string): string {
  return text.replaceAll("'", "’");
}
