/**
 * Property tests play the same schedules each time, so that a change is judged by itself and a
 * failure can be repeated. ONEUP_SEED plays others; a number that fails belongs into a test.
 */
import fc from "fast-check";

fc.configureGlobal({ seed: Number(process.env.ONEUP_SEED ?? 1) });
