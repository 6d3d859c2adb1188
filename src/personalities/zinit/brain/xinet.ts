/** Methods about proxies. */
import type { Method } from "./method.ts";

export const XINET_METHODS: readonly Method[] = [];
