// Makes the file that the web service reads.
import { mkdirSync, writeFileSync } from "node:fs";

mkdirSync("var", { recursive: true });
writeFileSync("var/greeting.json", JSON.stringify({ greeting: "an extra life for every crashed process" }));
console.log("var/greeting.json is there");
