/** What the API answers, by the names that this client gives it. Generated types: `api.ts`, from /openapi.json. */

import type { components } from "./api.js";

type Schemas = components["schemas"];

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type ExecutionView = Schemas["ExecutionView"];
export type StartedExecution = Schemas["StartedExecution"];
export type TurnedInto = StartedExecution["turned_into"];
export type ExecutionDetail = Schemas["ExecutionDetail"];
export type ExecutionStatus = ExecutionView["status"];
export type ExecutionPage = Schemas["ExecutionList"];
export type CommandPage = Schemas["CommandList"];
export type ItemPage = Schemas["ItemList"];
export type RunPage = Schemas["RunList"];
export type CommandView = Schemas["CommandView"];
export type CommandStatus = CommandView["status"];
export type ChangePage = Schemas["ChangeList"];
/** A change of an execution: what it is of as `type`, and what is so now. */
export interface Change {
  type: "execution" | "command" | "status" | "labels" | "progress";
  [name: string]: Json;
}
export type HistoryEvent = Schemas["EventView"];
export interface HistoryPage {
  events: HistoryEvent[];
  next: string | null;
  /** True where events come command by command, and then all others: of an execution with more than 10,000 commands. */
  by_command: boolean;
}
export type Fork = Partial<Schemas["ForkRequestBody"]>;
export type Repair = Schemas["RepairRequest"];
export type ResumedExecution = Schemas["ResumedExecution"];
export type SentSignal = Schemas["SignalView"];
export type Handlers = Schemas["HandlersView"];
export type UpdateState = Schemas["UpdateView"];
export type Failure = Schemas["ErrorView"];
export type FieldError = Schemas["FieldError"];
export type Workflow = Schemas["WorkflowView"];
export type Limit = Schemas["LimitView"];
export type LimitDetail = Schemas["LimitDetail"];
export type Gate = Schemas["GateView"];
export type GatePage = Schemas["GateList"];
export type Job = Schemas["JobView"];
export type JobPage = Schemas["JobList"];
export type JobReport = Schemas["JobReport"];
export type JobStart = Schemas["JobStart"];
export type Schedule = Schemas["ScheduleView"];
export type SchedulePage = Schemas["ScheduleList"];
export type ScheduleOutcome = Schemas["OutcomeView"];
/** A workflow that was paused or unpaused, with the job that lets go what was held. */
export type PausedWorkflow = Schemas["PausedWorkflow"];
export type BackfilledRun = Schemas["BackfilledRun"];
export type AuditLine = Schemas["AuditLineView"];
export type AuditPage = Schemas["AuditList"];
export type Health = Schemas["Health"];
export type DeadLetterPage = Schemas["DeadLetterList"];
export type DeadLetterGroups = Schemas["FaultGroups"];
export type ReplayedExecution = Schemas["ResumedView"];
export type StartedBatch = Schemas["BatchView"];
export type ReplayAnswer = Schemas["Replayed"];
export type Attempt = Schemas["AttemptView"];
export type CommandKind = CommandView["kind"];
export type Parent = Schemas["ParentView"];
export type Intervention = Schemas["InterventionView"];
export type MapProgress = Schemas["MapProgressView"];
export type ForkedFrom = Schemas["ForkedFromView"];
export type SignalNotTaken = Schemas["SignalNotTakenView"];
export type HandlerSchemas = Schemas["HandlerSchemas"];
export type DeadLetter = Schemas["DeadLetterView"];
export type DeadLetterGroup = Schemas["FaultGroupView"];
export type StatusPage = Schemas["StatusList"];
export type StatusOf = Schemas["StatusView"];
export type Figures = Schemas["FiguresView"];
export type Durations = Schemas["DurationsView"];
export type Bucket = Schemas["BucketView"];
export type StepFigures = Schemas["StepFiguresView"];
export type Step = Schemas["StepView"];
export type Retry = Schemas["RetryView"];
export type LimitNumbers = Schemas["NumbersView"];
export type LimitKey = Schemas["KeyView"];
export type LimitWait = Schemas["LimitWaitView"];
export type WaitingStep = Schemas["WaitingStepView"];
export type ScheduledRun = Schemas["ScheduledRunView"];
export type JobOutcome = Schemas["JobOutcomeView"];
