export type { Answer, CallOptions, Options, Query } from "./calls.js";
export * from "./errors.js";
export { Execution } from "./execution.js";
export type * from "./shapes.js";
export type { Credentials, Iam } from "./signing.js";
export { type AuditQuery, type ListOptions, type ReplayOptions, type RunOptions, type Start, Stepfast } from "./stepfast.js";
