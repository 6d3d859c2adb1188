/** Waiting for conditions. A test never sleeps to give something time; it says what it waits for. */

/** Generous, because tests run on loaded machines: it is met by what hangs, not by what is slow. */
export const DEADLINE_MS = 60_000;

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Asks `condition` again and again until it says something other than false, null or undefined,
 * and returns that. An exception from it counts as "not yet" and is shown if it never comes.
 */
export async function until<T>(
  what: string,
  condition: () => T | Promise<T>,
  options: { readonly deadlineMs?: number; readonly everyMs?: number; readonly details?: () => string } = {},
): Promise<Exclude<T, false | null | undefined>> {
  const deadlineMs = options.deadlineMs ?? DEADLINE_MS;
  const end = Date.now() + deadlineMs;
  let last = "";
  for (;;) {
    try {
      const answer = await condition();
      if (isAnswer(answer)) return answer;
      last = "";
    } catch (error) {
      last = `\nlast error: ${error instanceof Error ? error.message : String(error)}`;
    }
    if (Date.now() > end) {
      throw new Error(`waited ${deadlineMs} ms in vain: ${what}${last}${options.details?.() ?? ""}`);
    }
    await pause(options.everyMs ?? 10);
  }
}

function isAnswer<T>(answer: T): answer is Exclude<T, false | null | undefined> {
  return answer !== false && answer !== null && answer !== undefined;
}

/** A promise with a deadline. */
export async function within<T>(what: string, promise: Promise<T>, deadlineMs = DEADLINE_MS): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${deadlineMs} ms in vain: ${what}`)), deadlineMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
