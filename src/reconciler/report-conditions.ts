// Tells of conditions that changed: readiness as an event, the end of a drift as a measurement.
import type { EventSink } from '../core/events.ts';
import type { ReconcilerMetrics } from './reconciler-metrics.ts';
import { type Tracked, updateConditions } from './tracker.ts';

export interface ConditionReports {
  readonly events: EventSink;
  readonly metrics?: Pick<ReconcilerMetrics, 'driftEnded'>;
}

export function reportConditions(tracked: Tracked, now: number, { events, metrics }: ConditionReports): void {
  const driftSince = tracked.conditions.get('Drifted')?.status === 'True' ? tracked.conditions.get('Drifted')!.since : undefined;
  for (const { type, status, reason, message } of updateConditions(tracked, now)) {
    if (type === 'Drifted' && status === 'False' && driftSince !== undefined)
      metrics?.driftEnded(tracked.ref.kind, (now - driftSince) / 1000);
    if (type !== 'Ready') continue;
    const severity = status === 'True' || tracked.error === undefined ? 'info' : 'warning';
    events.emit({ type: 'condition', severity, ref: tracked.ref, reason, message, data: { ready: status } });
  }
}
