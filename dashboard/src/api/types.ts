/** What the API answers: docs/api.md and /openapi.json, in TypeScript. Times are ISO 8601 in UTC. */

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonSchema = { [key: string]: Json };
export type ExecutionStatus = "RUNNING" | "PAUSED" | "SUCCEEDED" | "FAILED" | "CLOSED" | "CANCELLED";
export type CommandStatus = "OPEN" | "RUNNING" | "RETRYING" | "SUCCEEDED" | "FAILED" | "CANCELLED";
export type CommandKind = "step" | "timer" | "signal" | "child" | "update";

/** Null where a type has no JSON form. */
export interface HandlerSchemas {
  payload_schema: JsonSchema | null;
  result_schema: JsonSchema | null;
}

/** The names of what an execution can be asked, and of its updates, with the schemas of each. */
export interface Handlers {
  queries: string[];
  updates: string[];
  schemas: { queries: { [name: string]: HandlerSchemas }; updates: { [name: string]: HandlerSchemas } };
}

export interface UpdateState {
  update_id: string;
  status: "pending" | "succeeded" | "failed" | "refused" | "ended";
  result: Json;
  error: Failure | null;
}

export const EXECUTION_STATUSES: readonly ExecutionStatus[] = ["RUNNING", "PAUSED", "SUCCEEDED", "FAILED", "CLOSED", "CANCELLED"];

export interface Failure {
  type: string;
  message: string;
  step: string | null;
  traceback: string | null;
  /** The class with its module, where that says more than its name. */
  error_class?: string | null;
}

/** Values that were left out for their size, with their bytes of JSON; null where even these were not looked up. */
export type Omitted = Record<string, number | null>;

export interface Execution {
  execution_id: string;
  workflow: string;
  status: ExecutionStatus;
  input: Json;
  result: Json;
  error: Failure | null;
  labels: Record<string, string>;
  /** What its code has set last by set_status(). */
  status_value?: Json;
  created_at: string;
  ended_at: string | null;
  generation: number;
  resumes: number;
  /** The number of the run that is shown; a workflow that raises ContinueAsNew begins the next one. */
  run?: number;
  /** When this run began, if that was after the start. */
  began_at?: string | null;
  /** True for an earlier run. */
  continued?: boolean;
  /** Of a FAILED one: the commands that a resume runs again; empty when no failed step stands behind the failure. */
  reopens: string[] | null;
  omitted: Omitted;
  /** How far its maps have come. Left out by servers that have no maps. */
  progress?: MapProgress[];
  /** Of a child: the execution that has started it. */
  parent?: Parent | null;
  /** What an operator has done to it last by hand. */
  intervention?: Intervention | null;
  /** Of a fork: where it comes from. */
  forked_from?: ForkedFrom | null;
  /** False while it waits for its turn or its moment, as its workflow says. Left out by servers without such options. */
  begun?: boolean;
  begins_at?: string | null;
}

export interface ForkedFrom {
  execution_id: string;
  run: number;
  /** The commands that the fork runs anew. */
  before: string[];
  at: string;
  by: string | null;
  why: string | null;
}

export interface Intervention {
  action: "pause" | "unpause" | "close" | "reopen" | "cancel" | "terminate" | "hold";
  at: string;
  by: string | null;
  why: string | null;
  /** Of a child: the execution that it was paused with. */
  parent: string | null;
  /** Of a cancelled one: how long its code may clean up. */
  cleanup_seconds?: number | null;
}

export interface MapProgress {
  id: string;
  name: string;
  /** Null until all of them are planned. */
  batches: number | null;
  batches_ended: number;
  succeeded: number;
  failed: number;
}

export interface Parent {
  execution_id: string;
  command: string;
  root: string;
  depth: number;
  /** True once the parent waits no more. */
  left: boolean;
}

export interface Attempt {
  attempt: number;
  started_at: string;
  ended_at: string | null;
  error: Failure | null;
  next_at: string | null;
}

export interface Command {
  id: string;
  kind: CommandKind;
  name: string;
  /** Of a step: which item it is about. */
  label?: string | null;
  status: CommandStatus;
  attempt: number;
  generation: number;
  pool: string | null;
  input: Json;
  output: Json;
  error: Failure | null;
  first_at: string | null;
  started_at: string | null;
  ended_at: string | null;
  due: string | null;
  /** Of a step that an attempt from before the last resume may still run: when it is tried again at the latest. */
  held_until?: string | null;
  signal_id: string | null;
  /** Of a step: what heartbeat(progress=…) has reported last. */
  progress?: Json;
  /** Of a step: what its own code is told. */
  idempotency_key: string | null;
  /** Of a signal that is waited for now, if the code says its type. */
  payload_schema: JsonSchema | null;
  /** Of a step, where its code is deployed: when it was asked for; `first_at` is when a worker took it. */
  asked_at: string | null;
  /** Of what waits or runs: by when it should have gone on; past that it is overdue. */
  overdue_at: string | null;
  omitted: Omitted;
  attempts: Attempt[];
  /** Of a child: the executions that were started for it, the current one last. */
  children?: string[];
}

export interface ExecutionDetail extends Execution {
  /** False while no code here knows its workflow: then it waits. */
  deployed: boolean;
  commands: Command[];
  /** How many commands there are, also where they are not all loaded; and how many of each status. */
  total?: number | null;
  counts?: Partial<Record<CommandStatus, number>>;
  /** True where there are so many commands that only a part of them is read; `notable` are then to be seen first. */
  partial?: boolean;
  notable?: Command[];
  /** The first 100 signals that nobody has taken; servers before version 0.2 do not tell them. */
  signals_not_taken?: SignalNotTaken[];
}

export interface CommandPage {
  commands: Command[];
  next: string | null;
  /** How many match on all pages; null with `partial`. */
  total: number | null;
  /** Of all its commands. */
  counts: Partial<Record<CommandStatus, number>>;
  overdue: number;
  steps: string[];
  generation: number;
  signals_not_taken?: SignalNotTaken[];
  /** True for a page by ids, without what only the code or all commands can tell. */
  recorded_only: boolean;
  /** With `recorded_only`, what to see first. */
  notable?: Command[];
  deployed: boolean;
}

export interface SignalNotTaken {
  signal_id: string;
  name: string;
  received_at: string;
  reason: string;
}

export interface ExecutionList {
  executions: Execution[];
  next: string | null;
  /** How many match, where that was asked for; not complete where there are more than are counted. */
  total?: { count: number; complete: boolean } | null;
}

export interface HistoryEvent {
  at: string;
  type: string;
  command: string | null;
  attempt?: number;
  generation?: number;
  error?: Failure | null;
  next_at?: string;
  [detail: string]: Json | Failure | undefined;
}

export interface DeadLetter {
  execution_id: string;
  workflow: string;
  step: string | null;
  error: Failure | null;
  created_at: string;
  ended_at: string | null;
  generation: number;
  resumes: number;
}

export interface DeadLetterList {
  dead_letters: DeadLetter[];
  next: string | null;
}

/** What failed in the same way. */
export interface DeadLetterGroup {
  workflow: string;
  /** Null for a failure of the workflow's own code. */
  step: string | null;
  error: string | null;
  /** The class with its module: classes of one name are groups of their own. */
  error_class?: string | null;
  count: number;
  /** How many of them had been resumed before. */
  again: number;
  /** When the newest of them started, and which it is. */
  newest: string;
  execution_id: string;
}

export interface DeadLetterGroups {
  groups: DeadLetterGroup[];
  /** False when there are more FAILED executions than were counted. */
  complete: boolean;
}

export interface StatusOf {
  execution_id: string;
  workflow: string;
  status: ExecutionStatus;
  generation: number;
  ended_at: string | null;
  error: { type: string; step: string | null } | null;
}

export interface Statuses {
  executions: StatusOf[];
}

export interface Bucket {
  at: string;
  succeeded: number;
  failed: number;
  cancelled: number;
}

/** Seconds from start to end. */
export interface Durations {
  count: number;
  p50: number;
  p90: number;
  p99: number;
  longest: number;
}

export interface StepFigures {
  name: string;
  attempts: number;
  /** Attempts that raised or timed out. */
  failures: number;
  /** Steps that failed for good. */
  given_up: number;
  /** The mean length of attempts that succeeded. */
  seconds: number | null;
}

export interface Figures {
  workflow: string;
  since: string;
  until: string;
  bucket: "hour" | "day";
  buckets: Bucket[];
  durations: Durations | null;
  steps: StepFigures[];
}

export interface Retry {
  max_attempts: number | null;
  initial: number;
  backoff: number;
  max_delay: number;
  jitter: string;
  max_elapsed: number | null;
  retry_on: string[];
  give_up_on: string[];
}

export interface Step {
  name: string;
  pool: string;
  timeout: number;
  heartbeat: number | null;
  at_most_once: boolean;
  retry: Retry;
  description: string;
}

export interface Workflow {
  name: string;
  description: string;
  input_schema: JsonSchema;
  result_schema: JsonSchema;
  steps: Step[];
  /** Since when its new executions are held; null while it is not paused. */
  paused: WorkflowPause | null;
}

export interface WorkflowPause {
  at: string;
  by: string | null;
  why: string | null;
}

export interface FieldError {
  field: string;
  message: string;
}

export type { SentSignal } from "stepfast";

/** The numbers of a limit; null for what it does not limit. */
export interface Numbers {
  rate: number | null;
  per: number | null;
  burst: number | null;
  concurrency: number | null;
}

export interface Limit {
  name: string;
  declared: Numbers;
  numbers: Numbers;
  /** Null where nobody has set numbers, "" where whoever has done it has no name. */
  set_by: string | null;
  shared: boolean;
  shards: number;
  gated: boolean;
}

export interface WaitingStep {
  execution_id: string;
  command: string;
  since: string;
  priority: number;
}

/** A step of an execution that waits at a gate or for a limit. */
export interface LimitWait {
  command: string;
  waits_for: "gate" | "slot" | "rate";
  limit: string;
  key: string;
  since: string | null;
  before: number | null;
  next_at: string | null;
  gate: "OPEN" | "CLOSED" | "RAMPING" | null;
  gate_since: string | null;
  cause: string;
  by: string;
  why: string;
  probe: boolean;
}

export interface LimitKey {
  key: string;
  shard: number;
  taken: number;
  next_at: string | null;
  waiting: number;
  waiting_since: string | null;
  first: WaitingStep[];
}

export interface LimitDetail extends Limit {
  keys: LimitKey[];
  next: string | null;
}

export interface Gate {
  name: string;
  key: string;
  status: "OPEN" | "CLOSED" | "RAMPING";
  since: string | null;
  cause: string;
  by: string;
  why: string;
  next_probe: string | null;
  /** The step that is the next probe of a closed gate, or is it now. */
  probe: { execution_id: string; command: string } | null;
  rate: number | null;
  waiting: number;
  first: WaitingStep[];
  failed: number;
}

export interface ScheduledRun {
  execution_id: string;
  /** The moment that it is for. */
  at: string;
  cause: "clock" | "trigger" | "backfill";
  decided_at: string;
  by: string;
}

export interface Schedule {
  name: string;
  workflow: string;
  expression: string;
  timezone: string;
  enabled: boolean;
  overlap: "allow" | "skip" | "wait" | "replace";
  jitter: number;
  paused: { since: string; by: string; why: string } | null;
  next: { at: string; starts_at: string }[];
  started: ScheduledRun[];
  skipped: (ScheduledRun & { why: string })[];
  waiting: number;
}

export interface ScheduleList {
  schedules: Schedule[];
  next: string | null;
}

export interface ScheduleOutcome {
  outcome: "started" | "waiting" | "skipped" | "missed";
  execution_id: string;
  created: boolean;
  why: string;
}
