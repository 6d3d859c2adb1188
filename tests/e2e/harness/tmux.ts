/** A terminal whose picture can be read, with keys that can be pressed: tmux, on a socket of its own. */
import type { Box, Outcome } from "./box.ts";
import { until } from "./wait.ts";

export class Tmux {
  readonly #box: Box;
  readonly #socket: string;

  private constructor(box: Box) {
    this.#box = box;
    this.#socket = box.path("tmux");
  }

  /** A terminal on which a shell runs this script. */
  static async start(
    box: Box,
    script: string,
    env: Readonly<Record<string, string>> = {},
    size: { readonly columns: number; readonly rows: number } = { columns: 110, rows: 32 },
  ): Promise<Tmux> {
    const tmux = new Tmux(box);
    const path = box.write("on-terminal.sh", script);
    box.start(["tmux", "-f", "/dev/null", "-S", tmux.#socket, "-D"], {
      as: "child",
      env: { LC_ALL: "C.UTF-8", ...env },
    });
    await until("the terminal's server", () => box.has("tmux"));
    const { columns, rows } = size;
    await tmux.#order("new-session", "-d", "-x", String(columns), "-y", String(rows), `sh ${path}`);
    return tmux;
  }

  async #order(...args: readonly string[]): Promise<string> {
    const env = { LC_ALL: "C.UTF-8", TMUX: "" };
    const end: Outcome = await this.#box.run(["tmux", "-S", this.#socket, ...args], { env, as: "bare" });
    if (end.code !== 0) throw new Error(`tmux ${args.join(" ")}: ${end.err}`);
    return end.out;
  }

  /** Keys by tmux's names (`Down`, `PageUp`, `C-c`), or letters. */
  async press(...keys: readonly string[]): Promise<void> {
    await this.#order("send-keys", ...keys);
  }

  async type(text: string): Promise<void> {
    await this.#order("send-keys", "-l", text);
  }

  /** What is seen now, without what is scrolled away. */
  screen(): Promise<string> {
    return this.#order("capture-pane", "-p");
  }

  async #fact(name: string): Promise<string> {
    return (await this.#order("display-message", "-p", `#{${name}}`)).trim();
  }

  /** Is the alternate screen shown, which leaves no trace? */
  async isAlternate(): Promise<boolean> {
    return (await this.#fact("alternate_on")) === "1";
  }

  /** Has a program taken the mouse? */
  async hasMouse(): Promise<boolean> {
    return (await this.#fact("mouse_any_flag")) === "1";
  }

  async resize(columns: number, rows: number): Promise<void> {
    await this.#order("resize-window", "-x", String(columns), "-y", String(rows));
  }

  /** Waits until the picture has it; returns the picture. */
  async shows(wanted: string | RegExp): Promise<string> {
    return this.until(String(wanted), (screen) =>
      typeof wanted === "string" ? screen.includes(wanted) : wanted.test(screen),
    );
  }

  async until(what: string, fits: (screen: string) => boolean): Promise<string> {
    let screen = "";
    return until(
      `${what} on the terminal`,
      async () => {
        screen = await this.screen();
        return fits(screen) ? screen : null;
      },
      { details: () => `\n--- terminal\n${screen}\n---` },
    );
  }
}
