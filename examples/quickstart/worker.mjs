// Does a job every two seconds and reports it to the web service.
const web = process.env.WEB;

setInterval(async () => {
  try {
    const response = await fetch(`${web}/jobs`, { method: "POST", headers: { connection: "close" } });
    const { jobs } = await response.json();
    console.log(`job ${jobs} done`);
  } catch (error) {
    // A crash of the web service leaves this one up: it tries again.
    console.error(`the web service does not answer: ${error.cause?.code ?? error.message}`);
  }
}, 2_000);
