// Prints the signed headers of the requests on standard input, as JSON: tests/typescript compares them with botocore's.
import { signed } from "../dist/signing.js";

let text = "";
for await (const part of process.stdin) text += part;
const { iam, now, requests } = JSON.parse(text);
const answers = [];
for (const { method, url, body } of requests) answers.push(await signed(iam, method, new URL(url), body, new Date(now)));
console.log(JSON.stringify(answers));
