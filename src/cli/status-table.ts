// Objects as rows of a table: ready or not, why, where to reach them.
import type { DaemonStatus, ObjectStatus } from '../api/types.ts';
import { condition, isReady } from '../core/object-status.ts';
import { formatSize } from '../core/units.ts';
import { shortRef } from './kind-words.ts';
import type { Cell } from './output.ts';
import { problemLines } from './problem-text.ts';
import type { Output } from './output.ts';
import { age, clean, plural } from './text.ts';

export const STATUS_HEADING = ['OBJECT', 'READY', 'STATUS', 'ADDRESS', 'MESSAGE'] as const;

export function statusRow(status: ObjectStatus): Cell[] {
  const ready = condition(status, 'Ready');
  return [
    { text: shortRef(status.ref) },
    readyCell(status),
    { text: reasonOf(status) },
    { text: addressesOf(status) },
    { text: messageOf(status, ready?.message ?? status.summary) },
  ];
}

export function readyCell(status: ObjectStatus): Cell {
  if (isReady(status)) return { text: 'yes', style: 'green' };
  if (isStalled(status)) return { text: 'no', style: 'red' };
  return condition(status, 'Ready')?.status === 'Unknown' ? { text: '?', style: 'yellow' } : { text: 'no', style: 'yellow' };
}

export function isStalled(status: ObjectStatus): boolean {
  return condition(status, 'Stalled')?.status === 'True';
}

export function reasonOf(status: ObjectStatus): string {
  if (isStalled(status)) return condition(status, 'Stalled')?.reason ?? 'Stalled';
  return condition(status, 'Ready')?.reason ?? status.summary;
}

function addressesOf(status: ObjectStatus): string {
  const addresses = status.details['addresses'];
  if (Array.isArray(addresses)) return addresses.join(' ');
  return typeof addresses === 'string' ? addresses : '';
}

function messageOf(status: ObjectStatus, ready: string): string {
  if (status.doing !== undefined) {
    const { text, fraction } = status.doing;
    return fraction === undefined ? text : `${text} (${Math.floor(fraction * 100)} %)`;
  }
  if (isStalled(status)) return condition(status, 'Stalled')?.message || status.error?.message || ready;
  if (!isReady(status) && status.error !== undefined) return status.error.message;
  const drifted = condition(status, 'Drifted');
  // While it is being put right there is nothing to read.
  return drifted?.status === 'True' && drifted.reason === 'ReportOnly' ? `Drifted: ${drifted.message}` : ready;
}

/** `lockstepd 0.1.0, pid 42, up 3m, ready: 5 of 6 objects are ready` */
export function daemonLine(status: DaemonStatus, nowMs: number): string {
  const ready = status.objects.filter(isReady).length;
  const state = status.draining ? 'the host is being shut down' : status.ready ? 'ready' : 'starting';
  return (
    `lockstepd ${clean(status.version)}, pid ${status.pid}, up ${age(status.startedAt, nowMs)}, ${state}: ` +
    `${ready} of ${plural(status.objects.length, 'object')} ready`
  );
}

/** Problems, errors of sources, and what waits for a person: on stderr, beside the table. */
export function printAttention(status: DaemonStatus, output: Output): void {
  if (status.draining) {
    output.note('The host is being shut down: nothing is started. If it stays up after all: lockstep host-shutdown --cancel');
  }
  for (const source of status.sources) {
    if (source.error !== undefined) output.error(`Source "${source.name}" (${source.location}): ${source.error}`);
    for (const line of problemLines(source.problems, output.errorStyle)) output.errorLine(line);
  }
  for (const waiting of status.confirmations) output.note(waitingText(waiting));
  for (const { name, objects } of status.sources.filter((source) => source.state === 'unconfigured')) {
    output.note(
      `Source "${name}" is no longer configured; its ${plural(objects, 'object')} stay until you say: lockstep source forget ${name} --keep|--prune`,
    );
  }
  const kept = status.tombstones.filter((one) => one.why !== 'returning');
  if (kept.length > 0) {
    const bytes = kept.reduce((sum, one) => sum + (one.bytes ?? 0), 0);
    const size = bytes > 0 ? ` (${formatSize(bytes)})` : '';
    output.note(`${plural(kept.length, 'tombstone')}${size}: what was deleted can be brought back, see lockstep undelete`);
  }
}

function waitingText({ action, source, objects, reason }: DaemonStatus['confirmations'][number]): string {
  if (action === 'adopt') return `${reason} See: lockstep confirm ${source}`;
  if (action === 'delete') {
    return `Source "${source}" would delete ${plural(objects.length, 'object')}; they stay until you confirm: lockstep confirm ${source}`;
  }
  const [ref] = objects;
  const name = ref === undefined ? '' : shortRef(ref);
  return `${name} would be ${action}${action === 'restart' ? 'ed' : 'd'}; it stays as it is until you confirm: lockstep confirm ${name}`;
}
