/** The interface at work: news in, requests and pictures out. */
import type { CliHost } from "../cli/host.ts";
import type { News } from "../cli/screen.ts";
import type { Change } from "./change.ts";
import { type Message, type Model, newModel, type Request } from "./model.ts";
import { failed, isStep, type Source, type Step } from "./source.ts";
import { update } from "./update.ts";
import { view } from "./view.ts";

/** How often time passes if nothing else happens: pending operations count seconds. */
const TICK_MS = 250;

/** Until the person leaves it. What is wrong with the terminal is returned; `null`: nothing. */
export function runScreen(host: CliHost, source: Source): string | null {
  const problem = host.screen.open();
  if (problem !== null) return `cannot draw on this terminal: ${problem.message}`;
  try {
    const runner = new Runner(host, source);
    while (!runner.over) runner.turn();
  } finally {
    host.screen.close();
  }
  return null;
}

interface Open {
  readonly request: Request;
  readonly step: Step;
}

class Runner {
  readonly #host: CliHost;
  readonly #source: Source;
  readonly #open = new Map<number, Open>();
  #tickets = 0;
  #model: Model;
  #drawn = "";
  #ticked: number;

  constructor(host: CliHost, source: Source) {
    const { columns, rows } = host.screen.size();
    this.#host = host;
    this.#source = source;
    this.#ticked = host.now();
    this.#model = newModel(source.manner, columns, rows, this.#ticked);
    this.#take({ type: "tick", now: this.#ticked });
  }

  get over(): boolean {
    return this.#model.over;
  }

  turn(): void {
    this.#draw();
    // A clock that was set back must not stop time.
    const since = Math.abs(this.#host.now() - this.#ticked);
    const news = this.#host.screen.nextInput(Math.max(0, TICK_MS - since));
    this.#hear(news);
    const now = this.#host.now();
    if (Math.abs(now - this.#ticked) < TICK_MS) return;
    this.#ticked = now;
    this.#take({ type: "tick", now });
  }

  #draw(): void {
    const tree = view(this.#model);
    const text = JSON.stringify(tree);
    if (text === this.#drawn) return;
    this.#drawn = text;
    this.#host.screen.draw(tree);
  }

  #hear(news: News): void {
    switch (news.type) {
      case "none":
        return;
      case "key":
        if (!news.alt) this.#take({ type: "key", key: news.key, ctrl: news.ctrl });
        return;
      case "resize":
        // What is on the screen may be somebody else's.
        this.#drawn = "";
        this.#take({ type: "resize", ...this.#host.screen.size() });
        return;
      case "closed":
        this.#model = { ...this.#model, over: true };
        return;
      case "answer":
        this.#answered(news.ticket, news.answer);
    }
  }

  #answered(ticket: number, answer: (News & { type: "answer" })["answer"]): void {
    const open = this.#open.get(ticket);
    if (open === undefined) return;
    this.#open.delete(ticket);
    const next = open.step.read(answer);
    if (isStep(next)) this.#submit(open.request, next);
    else this.#take(next);
  }

  #take(message: Message): void {
    const change: Change = update(this.#model, message);
    this.#model = change.model;
    for (const request of change.requests) this.#ask(request);
  }

  /** A question that is open already is not put again: a slow answer must not pile them up. */
  #ask(request: Request): void {
    const same = JSON.stringify(request);
    for (const open of this.#open.values()) if (JSON.stringify(open.request) === same) return;
    this.#submit(request, this.#source.begin(request));
  }

  #submit(request: Request, step: Step): void {
    const ticket = ++this.#tickets;
    if (this.#host.screen.submit(ticket, step.call)) this.#open.set(ticket, { request, step });
    else if (request.type === "act") this.#take(failed(request, "too much is being asked at once"));
  }
}
