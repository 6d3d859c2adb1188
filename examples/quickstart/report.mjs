// Says how many jobs the web service has heard of.
const response = await fetch(process.env.WEB, { headers: { connection: "close" } });
const { jobs } = await response.json();
console.log(`${jobs} jobs so far`);
