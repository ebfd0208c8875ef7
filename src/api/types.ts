// Types of the API's answers, for clients: the same the reconciler hands out.
export type { ObjectStatus } from '../core/object-status.ts';
export type {
  ApplyResult,
  Confirmation,
  DaemonStatus,
  ForgottenObjects,
  ObjectDescription,
  PlanChange,
  PlanCounts,
  PlannedObject,
  PlanReport,
  TombstoneStatus,
} from '../reconciler/control.ts';
export type { AuditPage, AuditRecord } from '../reconciler/explain.ts';
export type { HistoryRun } from '../reconciler/history.ts';
export type { Why, WhyRule } from '../reconciler/why.ts';
export type { ChainVerdict } from '../state/audit-chain.ts';
export type { HostShutdownResult } from '../operations/operations.ts';
export type { Problem } from '../schemas/problem.ts';
export type { SourceFile } from '../sources/snapshot.ts';
export type { ExecStart } from './requests.ts';
export type { ProblemDocument } from './problem-document.ts';
