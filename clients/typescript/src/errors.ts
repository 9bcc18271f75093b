/** Every error of this client, by what the caller can do about it. */

import type { Failure, FieldError } from "./shapes.js";

/** The root of all of them. */
export class StepfastError extends Error {
  override name = this.constructor.name;
  /** The HTTP status that it came with; 0 for what no answer has said. */
  status = 0;
  /** The answer's members as they came: a problem document (RFC 9457), or what a gateway says. */
  problem: Record<string, unknown> | null = null;
}

/** The API refused the call; `kind` is the last word of the problem's type, `status` the HTTP status. */
export class Refused extends StepfastError {
  constructor(
    message: string,
    readonly kind: string = "refused",
    status: number = 0,
  ) {
    super(message);
    this.status = status;
  }
}

/** What was sent is wrong; `fields` name what. */
export class InvalidRequest extends Refused {
  constructor(
    message: string,
    readonly fields: readonly FieldError[] = [],
  ) {
    super(message, "invalid-request", 422);
  }
}

export class UnknownWorkflow extends Refused {}
/** No limit, gate or schedule of this name is deployed. */
export class UnknownName extends Refused {}
export class ExecutionNotFound extends Refused {}
/** The id belongs to another workflow or input, or the signal's id to another signal. */
export class ExecutionConflict extends Refused {}
export class TooManySignals extends Refused {}
/** The execution has no query or update of this name where it stands. */
export class NoSuchHandler extends Refused {}
/** The query has raised an exception, or would have commanded something. */
export class QueryFailed extends Refused {}
/** The workflow refuses the update; the message is its reason. */
export class UpdateRefused extends Refused {}
/** The API key is missing, wrong, or lacks the scope that the call needs. */
export class NotAllowed extends Refused {}

/** The execution's status does not allow the call. */
export class WrongStatus extends Refused {
  constructor(
    message: string,
    readonly executionStatus: string,
  ) {
    super(message, "wrong-status", 409);
  }
}

/** The server cannot do it just now; what was asked for may have been done. */
export class Unavailable extends StepfastError {}

/** Someone has to change a setting of the server first. */
export class Misconfigured extends StepfastError {}

/** Nothing answered in time; `sent` tells whether the call may have arrived all the same. */
export class Unreachable extends Unavailable {
  constructor(
    url: string,
    readonly reason: string,
    readonly sent: boolean,
  ) {
    super(`no answer from ${url}: ${reason}`);
  }
}

/** The execution is FAILED: it is paused, and can be resumed. */
export class ExecutionFailed extends StepfastError {
  readonly step: string | null;
  readonly errorType: string;
  readonly errorMessage: string;

  constructor(
    readonly executionId: string,
    readonly error: Failure | null,
  ) {
    const step = error?.step ?? null;
    const place = step === null ? "in the workflow's own code" : `in step '${step}'`;
    super(`execution '${executionId}' failed ${place}: ${error?.type ?? "Unknown"}: ${error?.message ?? ""}`);
    this.step = step;
    this.errorType = error?.type ?? "Unknown";
    this.errorMessage = error?.message ?? "";
  }
}

/** The execution was cancelled and will have no result. */
export class ExecutionCancelled extends StepfastError {
  constructor(readonly executionId: string) {
    super(`execution '${executionId}' was cancelled`);
  }
}

/** The execution still runs after the time that the caller wanted to wait; waiting can be repeated. */
export class StillRunning extends StepfastError {
  constructor(
    readonly executionId: string,
    seconds: number,
  ) {
    super(`execution '${executionId}' is still RUNNING after ${seconds} s`);
  }
}

const URN = "urn:stepfast:problem:";

type Problem = Record<string, unknown>;

/** The update has raised an exception; the execution goes on. */
export class UpdateFailed extends StepfastError {
  constructor(
    readonly updateName: string,
    readonly errorType: string,
    readonly errorMessage: string,
  ) {
    super(`update ${updateName} failed: ${errorType}: ${errorMessage}`);
  }
}

/** The error that an answer stands for. */
export function errorOf(url: string, status: number, text: string): StepfastError {
  const problem = parsed(text);
  return Object.assign(errorFor(url, status, problem), { status, problem });
}

function errorFor(url: string, status: number, problem: Problem | null): StepfastError {
  const type = typeof problem?.["type"] === "string" ? problem["type"] : "";
  if (problem === null || !type.startsWith(URN)) {
    const answered = `${url} answered ${status}`;
    // API Gateway says no more than this when its authorizer refuses a key.
    if (status === 401 || status === 403) {
      return new NotAllowed(`${answered}: is the API key right, and still valid?`, "not-allowed", status);
    }
    return status >= 500 || status === 429
      ? new Unavailable(answered)
      : new Refused(`${answered}: is a stepfast API there?`, "not-stepfast", status);
  }
  const kind = type.slice(URN.length);
  const detail = String(problem["detail"] ?? "");
  switch (kind) {
    case "invalid-request":
      return new InvalidRequest(detail, Array.isArray(problem["errors"]) ? (problem["errors"] as FieldError[]) : []);
    case "wrong-status":
      return new WrongStatus(detail, String(problem["execution_status"] ?? ""));
    case "misconfigured":
      return new Misconfigured(detail);
    case "unknown-workflow":
      return new UnknownWorkflow(detail, kind, status);
    case "unknown-name":
      return new UnknownName(detail, kind, status);
    case "execution-not-found":
      return new ExecutionNotFound(detail, kind, status);
    case "execution-conflict":
      return new ExecutionConflict(detail, kind, status);
    case "too-many-signals":
      return new TooManySignals(detail, kind, status);
    case "no-such-handler":
      return new NoSuchHandler(detail, kind, status);
    case "query-failed":
      return new QueryFailed(detail, kind, status);
    case "update-refused":
      return new UpdateRefused(detail, kind, status);
  }
  if (status === 401 || status === 403) return new NotAllowed(detail, kind, status);
  return status >= 500 ? new Unavailable(detail) : new Refused(detail, kind, status);
}

function parsed(text: string): Problem | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Problem) : null;
  } catch {
    return null;
  }
}
