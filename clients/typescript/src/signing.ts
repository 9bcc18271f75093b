/** Requests signed with AWS credentials (Signature Version 4), for a deployment with `auth = "iam"`. */

/** Credentials as AWS gives them; of a role with a session token. */
export interface Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string | undefined;
}

/** How to sign. A function is asked for each request, so that credentials of a role may be renewed. */
export interface Iam {
  region: string;
  credentials: Credentials | (() => Credentials | Promise<Credentials>);
}

const text = new TextEncoder();

/** The headers that sign a request. */
export async function signed(iam: Iam, method: string, url: URL, body: string, now: Date): Promise<Record<string, string>> {
  const { credentials: given } = iam;
  const credentials = typeof given === "function" ? await given() : given;
  const at = now.toISOString().replace(/[-:]|\.\d+/g, "");
  const scope = `${at.slice(0, 8)}/${iam.region}/execute-api/aws4_request`;
  const headers: Record<string, string> = { host: url.host, "x-amz-date": at };
  if (credentials.sessionToken !== undefined) headers["x-amz-security-token"] = credentials.sessionToken;
  const names = Object.keys(headers).sort();
  const canonical = [
    method,
    // Every service but S3 encodes the path once more than it is sent.
    url.pathname.split("/").map((part) => quoted(part)).join("/"),
    query(url),
    ...names.map((name) => `${name}:${headers[name]}`),
    "",
    names.join(";"),
    hex(await crypto.subtle.digest("SHA-256", text.encode(body))),
  ].join("\n");
  const toSign = ["AWS4-HMAC-SHA256", at, scope, hex(await crypto.subtle.digest("SHA-256", text.encode(canonical)))];
  let key: ArrayBuffer | Uint8Array<ArrayBuffer> = text.encode(`AWS4${credentials.secretAccessKey}`);
  for (const part of scope.split("/")) key = await hmac(key, part);
  const signature = hex(await hmac(key, toSign.join("\n")));
  delete headers["host"]; // sent by whoever sends the request
  headers["authorization"] =
    `AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/${scope}, SignedHeaders=${names.join(";")}, Signature=${signature}`;
  return headers;
}

/** The query in AWS's one way of encoding it, sorted. AWS checks what it has decoded, so it is also sent like this. */
export function query(url: URL): string {
  return [...url.searchParams]
    .map(([name, value]) => `${quoted(name)}=${quoted(value)}`)
    .sort()
    .join("&");
}

function quoted(part: string): string {
  return encodeURIComponent(part).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}

async function hmac(key: ArrayBuffer | Uint8Array<ArrayBuffer>, message: string): Promise<ArrayBuffer> {
  const imported = await crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return crypto.subtle.sign("HMAC", imported, text.encode(message));
}

function hex(bytes: ArrayBuffer): string {
  return [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
