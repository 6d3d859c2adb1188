/** Ends the program: `Error: …` on stderr, perhaps the cause below it, and its exit code. */
export class Failure extends Error {
  override readonly cause: string | null;
  readonly exit: number;

  constructor(message: string, cause: string | null = null, exit = 1) {
    super(message);
    this.cause = cause;
    this.exit = exit;
  }
}
