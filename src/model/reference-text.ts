/** What the reference page says before it comes to the single fields. */
export const INTRODUCTION = `# Configuration

<!-- Made by "npm run docs" from src/model/schema.ts. Do not edit. -->

The configuration is TOML 1.1: sections \`[service.NAME]\`, \`[task.NAME]\`, \`[target.NAME]\` and \`[supervisor]\`.

\`\`\`toml
[service.db]
command = "postgres -D data"
user = "postgres"
ready = { tcp = 5432 }

[task.migrate]
command = "node migrate.js"
requires = ["db"]

[service.api]
command = ["node", "server.js"]
requires = ["db", { task = "migrate" }]
environment = { PORT = "8080" }
ready = { log = "listening" }
\`\`\`

\`oneup check\` reads everything, starts nothing, and shows every error with its place. [config.schema.json](config.schema.json) is the same format for editors.

## Files and folders

- A PATH is a file or a folder. Without one: \`oneup.toml\` in the current folder, else \`/etc/oneup\`.
- A folder with an \`oneup.toml\` in it is that file; the other files beside it are not read (a project's folder has TOML files of other programs). If one of them looks like a configuration, \`oneup check\` says so. To read it too, name it as a further PATH.
- A folder without one is all of its \`*.toml\` files in the order of their names; hidden ones and subfolders are left out.
- Several files count as one. A name defined twice, or the same setting of \`[supervisor]\` made twice, is an error that shows both places. A file named twice is read once.
- Relative paths, in every field, start from the folder of the file in which they stand. It is also the folder a service runs in, unless \`directory\` is set.

## Names

A name has letters, digits, \`.\`, \`_\` and \`-\`, starts with a letter or digit, and has at most 100 characters. Services, tasks and targets share their names. \`@\` is reserved for instances, \`oneup\` for the supervisor. A name with a dot needs quotes: \`[service."api.v2"]\`.

## Values

- **Durations** are strings with a unit: \`"500ms"\`, \`"10s"\`, \`"5m"\`, \`"1h"\`, \`"1d"\`; also \`"1.5s"\` and \`"1m30s"\`. Nothing is finer than 1 ms.
- **Sizes** are strings with a unit: \`"64KiB"\`, \`"10MiB"\`, \`"1GiB"\` count in 1024s, \`"64kB"\`, \`"10MB"\`, \`"1GB"\` in 1000s, \`"100B"\` are bytes.
- **Signals** go by name, with or without SIG: \`"TERM"\`, \`"SIGUSR1"\`, \`"RTMIN+3"\`, \`"RTMAX-1"\`.
- **Unknown keys** are errors.

## Variables

\`\${VAR}\` in a string becomes the value of the supervisor's environment variable; if it is not set, that is an error. \`\${VAR:-default}\` becomes the default if the variable is not set or empty; the default may have variables in it. \`$$\` becomes a dollar. Any other \`$\` stays: \`$VAR\` in a command with \`shell = true\` is the shell's affair, and for the shell's own braces write \`$\${VAR}\`. Keys are not expanded, nor are the values in an \`environment-file\`. What came out of a variable is never shown in a message.

## Changes

Each field has a class, which tells what changing it does to a service that runs: *live*, it takes effect at once; *reload*, the service is told by a signal or command; *restart*, the service is restarted. (In \`[supervisor]\`, *restart* means the supervisor.)`;
