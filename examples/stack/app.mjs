// Notes, kept by PostgreSQL; a counter of visits, kept by Redis.
//
//   GET /        {"visits": 3, "notes": 1, "pid": 42}
//   POST /note   the body is the note's text
//
// Both servers are spoken to in their own protocols, in a few lines each, so that this example
// needs no package. A connection per request: nothing to repair when a server was away.
import { createServer } from "node:http";
import { connect } from "node:net";

const { PGHOST, PGPORT, PGUSER } = process.env;

/** One command to Redis, the reply's first line. */
async function redis(...words) {
  const socket = connect({ host: "127.0.0.1", port: Number(process.env.REDIS_PORT) });
  try {
    const command = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join("");
    socket.write(`*${words.length}\r\n${command}`);
    let reply = "";
    for await (const piece of socket.setEncoding("utf8")) {
      reply += piece;
      const end = reply.indexOf("\r\n");
      if (end < 0) continue;
      if (reply.startsWith("-")) throw new Error(`redis: ${reply.slice(1, end)}`);
      return reply.slice(1, end);
    }
    throw new Error("redis: the connection was closed");
  } finally {
    socket.destroy();
  }
}

/**
 * One statement to PostgreSQL, with parameters: the first column of the first row, or undefined.
 * The server knows who we are from the socket (peer), so there is no password.
 */
async function sql(statement, ...parameters) {
  const socket = connect(`${PGHOST}/.s.PGSQL.${PGPORT}`);
  try {
    const hello = text("user", PGUSER, "database", "postgres", "");
    socket.write(Buffer.concat([int32(hello.length + 8), int32(196_608), hello]));
    for await (const [type, body] of messages(socket)) {
      if (type === "E") throw failure(body);
      // Ready for a query: parse, bind, execute, sync.
      if (type === "Z") break;
    }
    const values = parameters.flatMap((value) => [int32(Buffer.byteLength(value)), Buffer.from(value)]);
    socket.write(
      Buffer.concat([
        message("P", text("", statement), int16(0)),
        message("B", text("", ""), int16(0), int16(parameters.length), ...values, int16(0)),
        message("E", text(""), int32(0)),
        message("S"),
      ]),
    );
    let first;
    for await (const [type, body] of messages(socket)) {
      if (type === "E") throw failure(body);
      if (type === "D" && first === undefined) first = body.subarray(6, 6 + body.readInt32BE(2)).toString();
      if (type === "Z") return first;
    }
    throw new Error("postgres: the connection was closed");
  } finally {
    socket.destroy();
  }
}

const int16 = (value) => Buffer.from([value >> 8, value & 255]);
const int32 = (value) => Buffer.from([value >> 24, value >> 16, value >> 8, value]);
const text = (...parts) => Buffer.from(parts.map((part) => `${part}\0`).join(""));

function message(type, ...parts) {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from(type), int32(body.length + 4), body]);
}

/** The server's messages: a letter, a length, a body. Stays readable for the next caller. */
async function* messages(socket) {
  let rest = Buffer.alloc(0);
  for await (const piece of socket.iterator({ destroyOnReturn: false })) {
    rest = Buffer.concat([rest, piece]);
    while (rest.length >= 5 && rest.length > rest.readInt32BE(1)) {
      const end = 1 + rest.readInt32BE(1);
      const found = [String.fromCharCode(rest[0]), rest.subarray(5, end)];
      rest = rest.subarray(end);
      yield found;
    }
  }
}

/** An error has fields, each with a letter in front; M is the message. */
function failure(body) {
  const field = body
    .toString()
    .split("\0")
    .find((each) => each.startsWith("M"));
  return new Error(`postgres: ${field?.slice(1) ?? "unknown error"}`);
}

async function answer(request) {
  if (request.method === "POST") {
    let note = "";
    for await (const piece of request.setEncoding("utf8")) note += piece;
    await sql("INSERT INTO note (text) VALUES ($1)", note);
  }
  const [visits, notes] = await Promise.all([redis("INCR", "visits"), sql("SELECT count(*) FROM note")]);
  return { visits: Number(visits), notes: Number(notes), pid: process.pid };
}

const server = createServer(async (request, response) => {
  response.setHeader("content-type", "application/json");
  try {
    response.end(`${JSON.stringify(await answer(request))}\n`);
  } catch (error) {
    response.statusCode = 503;
    response.end(`${JSON.stringify({ error: error.message })}\n`);
  }
});

server.listen(Number(process.env.PORT), "127.0.0.1", () =>
  console.log(`listening on port ${process.env.PORT}`),
);

process.on("SIGTERM", () => {
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
