// A Control that answers from plain data and records what it was asked, for tests of the API and the client.
import { AppError } from '../../src/core/errors.ts';
import type { LockstepEvent } from '../../src/core/events.ts';
import type { ObjectStatus } from '../../src/core/object-status.ts';
import { makeRef, parseRefKey, refKey, refText, type ResourceRef } from '../../src/core/ref.ts';
import type { EventStream } from '../../src/api/ports.ts';
import type { Problem } from '../../src/schemas/problem.ts';
import type {
  ApplyResult,
  Confirmation,
  Control,
  DaemonStatus,
  ForgottenObjects,
  PlannedObject,
  PlanReport,
  SourceStatus,
  TombstoneStatus,
} from '../../src/reconciler/control.ts';
import { refuseStale } from '../../src/reconciler/saved-plan.ts';
import type { SourceFile } from '../../src/sources/snapshot.ts';

export const WEB = makeRef('Instance', 'web');
export const DB = makeRef('Instance', 'db');
export const FAST = makeRef('StoragePool', 'fast');
const SINCE = Date.UTC(2026, 0, 2, 3, 4, 5);

export function objectStatus(ref: ResourceRef, more: Partial<ObjectStatus> = {}): ObjectStatus {
  return {
    ref,
    uid: `uid-${ref.name}`,
    source: 'main',
    file: `/srv/manifests/${ref.name}.yaml`,
    line: 3,
    conditions: [{ type: 'Ready', status: 'True', reason: 'Running', message: 'It runs.', since: SINCE }],
    summary: 'Running',
    observedRevision: 'aaaa',
    details: {},
    ...more,
  };
}

export function notReady(ref: ResourceRef, reason: string, message: string, stalled = false): ObjectStatus {
  return objectStatus(ref, {
    conditions: [
      { type: 'Ready', status: 'False', reason, message, since: SINCE },
      { type: 'Stalled', status: stalled ? 'True' : 'False', reason, message, since: SINCE },
    ],
    summary: `${reason}: ${message}`,
  });
}

export function problem(file: string, message: string, severity: Problem['severity'] = 'error'): Problem {
  return {
    file,
    line: 7,
    column: 5,
    endLine: 7,
    endColumn: 9,
    severity,
    rule: 'unknown-key',
    field: 'spec.confg',
    message,
    hint: 'Did you mean "config"?',
  };
}

export function tombstone(ref: ResourceRef, more: Partial<TombstoneStatus> = {}): TombstoneStatus {
  return { ref, pool: 'fast', name: `uid-${ref.name}.1`, why: 'deleted', buriedAt: SINCE, expiresAt: SINCE + 86_400_000, ...more };
}

export const EMPTY_PLAN: PlanReport = {
  revisions: { main: 'aaaa' },
  counts: { create: 0, change: 0, restart: 0, recreate: 0, delete: 0, unchanged: 3 },
  changes: [],
  unchanged: [WEB, DB, FAST],
  problems: [],
  unknown: [],
  confirmations: [],
  objects: [],
  hash: '0123456789abcdef',
};

const OLD = makeRef('Instance', 'old');

export const FULL_PLAN: PlanReport = {
  revisions: { main: 'bbbb' },
  counts: { create: 1, change: 1, restart: 1, recreate: 0, delete: 1, unchanged: 0 },
  unchanged: [],
  objects: [
    { ref: FAST, desired: 'hmac:1', changes: 'aa' },
    { ref: WEB, desired: 'hmac:2', changes: 'bb' },
    { ref: OLD, changes: 'cc' },
  ],
  hash: 'fedcba9876543210',
  problems: [],
  unknown: [{ ref: DB, because: 'HOST_UNREADABLE' }],
  confirmations: [
    {
      source: 'main',
      objects: [OLD],
      protected: [],
      reason: 'The source "main" no longer declares anything: its last object would be deleted.',
      command: 'lockstep confirm main',
    },
  ],
  changes: [
    {
      ref: FAST,
      change: 'create',
      verdict: 'create',
      summary: 'create a btrfs pool of 20 GiB',
      fields: [],
      file: '/srv/manifests/fast.yaml',
      line: 1,
    },
    {
      ref: WEB,
      change: 'setLimits',
      verdict: 'live',
      summary: 'change limits',
      fields: [{ field: 'config.limits.memory', from: '256MiB', to: '512MiB' }],
      file: '/srv/manifests/web.yaml',
      line: 3,
    },
    {
      ref: WEB,
      change: 'restart',
      verdict: 'restart',
      summary: 'restart',
      fields: [{ field: 'config.security.nesting', to: 'true' }],
      downtime: 'about 1.0 s, as its last restart took; its shutdown may take 30 s at most',
      expectedDowntimeMs: 1000,
      downtimeFrom: 'restarts',
      shutdownLimitMs: 30_000,
      waitsFor: 'StoragePool "fast"',
    },
    { ref: OLD, change: 'delete', verdict: 'delete', summary: 'delete it', fields: [] },
  ],
};

export interface Call {
  readonly what: string;
  readonly args: readonly unknown[];
}

export class FakeControl implements Control {
  /** Sources that webhooks told of. */
  readonly moved: string[] = [];
  readonly calls: Call[] = [];
  objects: ObjectStatus[] = [
    objectStatus(WEB, { details: { state: 'Running', addresses: ['10.20.0.10'] } }),
    objectStatus(DB, { details: { state: 'Running', addresses: ['10.20.0.11'] } }),
    objectStatus(FAST, { summary: 'Active', source: 'api' }),
  ];
  sources: SourceStatus[] = [
    {
      name: 'main',
      location: '/srv/manifests',
      state: 'read',
      revision: 'aaaa',
      objects: 2,
      problems: [],
      error: undefined,
      lastRead: SINCE,
    },
  ];
  confirmations: Confirmation[] = [];
  tombstones: TombstoneStatus[] = [];
  ready = true;
  draining = false;
  settled = true;
  report: PlanReport = EMPTY_PLAN;
  applied: ApplyResult = { objects: [{ ref: WEB, result: 'created' }], problems: [] };
  onSync: () => void = () => undefined;

  status(): DaemonStatus {
    return {
      version: '0.1.0',
      pid: 4242,
      startedAt: SINCE,
      prefix: 'ls',
      stateDir: '/var/lib/lockstep',
      ready: this.ready,
      draining: this.draining,
      objects: this.objects,
      sources: this.sources,
      confirmations: this.confirmations,
      tombstones: this.tombstones,
      settled:
        this.settled &&
        this.confirmations.length === 0 &&
        this.objects.every((one) => one.conditions.some((each) => each.type === 'Ready' && each.status === 'True')),
    };
  }

  describe(ref: ResourceRef) {
    const status = this.objects.find((one) => refKey(one.ref) === refKey(ref));
    if (status === undefined) {
      throw new AppError('NOT_FOUND', { ref: refKey(ref) }, { message: `There is no ${refText(ref)}.`, hint: 'See "lockstep status".' });
    }
    return {
      status,
      document: { kind: ref.kind, metadata: { name: ref.name } },
      spec: { config: { 'limits.memory': '512MiB' } },
      allocations: { idrange: '1000000' },
      history: [{ change: 'create', openedAt: SINCE, closedAt: SINCE + 900, outcome: 'done', revision: 'aaaa' }],
    };
  }

  find(text: string): readonly ResourceRef[] {
    const full = parseRefKey(text);
    return this.objects
      .map((one) => one.ref)
      .filter((ref) => ref.name === text || `${ref.kind}/${ref.name}` === text || (full !== undefined && refKey(full) === refKey(ref)));
  }

  async plan(files?: readonly SourceFile[], options?: { readonly source?: string; readonly replace?: boolean }): Promise<PlanReport> {
    this.calls.push({ what: 'plan', args: [files, options] });
    return this.report;
  }

  sourceMoved(source: string): void {
    this.moved.push(source);
  }

  async sync(source?: string, _actor?: string, plan?: readonly PlannedObject[]): Promise<void> {
    if (plan !== undefined) refuseStale(plan, this.report);
    this.calls.push({ what: 'sync', args: [source] });
    this.onSync();
  }

  async tryAgain(ref: ResourceRef, actor: string): Promise<void> {
    this.calls.push({ what: 'tryAgain', args: [ref, actor] });
  }

  async apply(files: readonly SourceFile[], { plan, ...options }: Parameters<Control['apply']>[1]) {
    if (plan !== undefined) refuseStale(plan, this.report);
    this.calls.push({ what: 'apply', args: [files, options] });
    return this.applied;
  }

  async delete(ref: ResourceRef, actor: string): Promise<void> {
    this.calls.push({ what: 'delete', args: [ref, actor] });
    const found = this.describe(ref).status;
    if (found.source !== 'api') {
      throw new AppError(
        'OWNED_BY_OTHER_SOURCE',
        { file: found.file, line: found.line },
        { message: `${refText(ref)} is declared in ${found.file}:${found.line}.`, hint: 'Remove it from that file.' },
      );
    }
  }

  async undelete(ref: ResourceRef, options: { name?: string; actor: string }): Promise<void> {
    this.calls.push({ what: 'undelete', args: [ref, options] });
  }

  async purge(target: ResourceRef | 'all', actor: string): Promise<readonly TombstoneStatus[]> {
    this.calls.push({ what: 'purge', args: [target, actor] });
    return this.tombstones.filter((one) => target === 'all' || refKey(one.ref) === refKey(target));
  }

  async forgetSource(source: string, how: 'keep' | 'prune', actor: string): Promise<ForgottenObjects> {
    this.calls.push({ what: 'forget', args: [source, how, actor] });
    return { source, objects: [WEB, DB], left: [] };
  }

  async confirm(source: string, hash: string, options: { unprotect?: boolean; actor: string }): Promise<Confirmation> {
    this.calls.push({ what: 'confirm', args: [source, hash, options] });
    const mine = this.confirmations.filter((one) => one.source === source);
    const found = mine.find((one) => one.hash === hash) ?? mine[0];
    if (found === undefined)
      throw new AppError('NOT_FOUND', { source }, { message: `Nothing of source "${source}" waits for a confirmation.` });
    if (found.hash !== hash) {
      throw new AppError(
        'CONFIRMATION_STALE',
        { source },
        { message: `What source "${source}" would delete has changed since it was shown.` },
      );
    }
    this.confirmations = this.confirmations.filter((one) => one !== found);
    return found;
  }
}

/** Stored events in an array, live ones by `emit`. */
export class FakeEvents implements EventStream {
  stored: LockstepEvent[] = [];
  readonly listeners = new Set<(event: LockstepEvent) => void>();

  emit(message: string, seq = (this.stored.at(-1)?.seq ?? 0) + 1): void {
    const event: LockstepEvent = { seq, time: SINCE, type: 'change', severity: 'info', ref: WEB, reason: 'Started', message };
    this.stored.push(event);
    for (const listener of this.listeners) listener(event);
  }

  latest(limit: number): readonly LockstepEvent[] {
    return this.stored.slice(-limit);
  }

  since(seq: number, limit: number): readonly LockstepEvent[] {
    return this.stored.filter((event) => event.seq > seq).slice(0, limit);
  }

  subscribe(listener: (event: LockstepEvent) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
}
