/** Ends a verb with exit code 1: `Error: …`, and perhaps a second line. */
export class Failure extends Error {
  readonly hint: string | null;

  constructor(message: string, hint: string | null = null) {
    super(message);
    this.hint = hint;
  }
}
