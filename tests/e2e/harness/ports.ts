/** Ports for services. */
import { createServer } from "node:net";

/** A free port. It is not held, so somebody could take it meanwhile; that has to be lived with. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      const found = address !== null && typeof address === "object" ? address.port : null;
      server.close(() => (found === null ? reject(new Error("no port")) : resolve(found)));
    });
  });
}
