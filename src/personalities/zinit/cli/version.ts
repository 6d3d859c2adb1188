/** What users of these programs, and programs that ask the server, take them for. */
export const VERSION = "0.3.9";
