// Ticks, and crashes after a while.
const last = 4 + Math.floor(Math.random() * 8);
let tick = 0;

setInterval(() => {
  tick++;
  console.log(`tick ${tick}`);
  if (tick === last) throw new Error("out of ticks");
}, 1_000);
