// Says how many jobs the worker has done. POST /jobs takes one more.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";

const port = Number(process.env.PORT);
const { greeting } = JSON.parse(readFileSync("var/greeting.json", "utf8"));
let jobs = 0;

const server = createServer((request, response) => {
  if (request.method === "POST" && request.url === "/jobs") jobs++;
  response.setHeader("content-type", "application/json");
  response.end(`${JSON.stringify({ greeting, jobs, pid: process.pid })}\n`);
});

server.listen(port, "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${port}/`));
server.on("error", (error) => {
  console.error(`cannot listen on port ${port} (${error.code}); PORT=8081 npm start takes another`);
  process.exit(1);
});

process.on("SIGTERM", () => {
  console.log(`${jobs} jobs done, good bye`);
  server.close(() => process.exit(0));
  server.closeAllConnections();
});
