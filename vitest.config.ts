import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    // Deadlines are generous: tests may run on a loaded machine. No verdict depends on speed.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    setupFiles: ["tests/seed.ts"],
    projects: [
      { extends: true, test: { name: "unit", include: ["tests/unit/**/*.test.ts"] } },
      // Beside a compiler a thousand schedules take a while.
      { extends: true, test: { name: "sim", include: ["tests/sim/**/*.test.ts"], testTimeout: 900_000 } },
      { extends: true, test: { name: "e2e", include: ["tests/e2e/**/*.test.ts"] } },
      { extends: true, test: { name: "compat", include: ["tests/compat/**/*.test.ts"] } },
    ],
  },
});
