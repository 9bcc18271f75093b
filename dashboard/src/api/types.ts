/** What the API answers, by the names that the page uses. The client has the types, generated from /openapi.json. */

import type { CommandStatus, ExecutionDetail as WholeExecution, ExecutionStatus, Failure, HistoryEvent as AnyEvent, Json } from "stepfast";

export type {
  Attempt,
  Bucket,
  CommandKind,
  CommandPage,
  CommandStatus,
  CommandView as Command,
  DeadLetter,
  DeadLetterGroup,
  DeadLetterGroups,
  DeadLetterPage as DeadLetterList,
  Durations,
  ExecutionPage as ExecutionList,
  ExecutionStatus,
  ExecutionView as Execution,
  Failure,
  FieldError,
  Figures,
  ForkedFrom,
  Gate,
  Handlers,
  HandlerSchemas,
  Intervention,
  Json,
  Limit,
  LimitDetail,
  LimitKey,
  LimitNumbers as Numbers,
  LimitWait,
  MapProgress,
  Parent,
  Retry,
  Schedule,
  ScheduledRun,
  ScheduleOutcome,
  SchedulePage as ScheduleList,
  SentSignal,
  SignalNotTaken,
  StatusOf,
  StatusPage as Statuses,
  Step,
  StepFigures,
  UpdateState,
  WaitingStep,
  Workflow,
} from "stepfast";

/** With its commands as far as the page has them: how many there are, and how many of each status. */
export type ExecutionDetail = WholeExecution & { total?: number | null; counts?: Counts };
/** An event with the details that the page reads of it. */
export type HistoryEvent = AnyEvent & { attempt?: number; generation?: number; error?: Failure | null; next_at?: string };
export type JsonSchema = { [key: string]: Json };
/** Values that were left out for their size, with their bytes of JSON; null where even these were not looked up. */
export type Omitted = Record<string, number | null>;
export const EXECUTION_STATUSES: readonly ExecutionStatus[] = ["RUNNING", "PAUSED", "SUCCEEDED", "FAILED", "CLOSED", "CANCELLED"];
export type Counts = Partial<Record<CommandStatus, number>>;
