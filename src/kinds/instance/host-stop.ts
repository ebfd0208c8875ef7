// How an instance is stopped when the host shuts down: its turn and its patience. Pure.
import { optionValue } from '../../schemas/registry.ts';
import { parseRecord } from './record.ts';
import type { InstanceSpec } from './spec.ts';

export interface HostStop {
  /** `boot.stop.priority`: higher stops first. */
  readonly priority: number;
  /** `boot.host_shutdown_timeout`: how long a clean shutdown may take, in milliseconds. */
  readonly timeoutMs: number;
}

/** As it is declared; of what is not declared any more, as it was last written down. */
export function hostStopOf(spec: Pick<InstanceSpec, 'config'> | undefined, record: string | undefined): HostStop {
  const config = spec?.config ?? parseRecord(record)?.document.spec.config ?? {};
  return {
    priority: optionOr('boot.stop.priority', config) ?? 0,
    timeoutMs: (optionOr('boot.host_shutdown_timeout', config) ?? 30) * 1000,
  };
}

/** A record may hold a value that this version does not take: then it is as if it were not set. */
function optionOr(key: 'boot.stop.priority' | 'boot.host_shutdown_timeout', config: Readonly<Record<string, string>>): number | undefined {
  try {
    return optionValue('instance', key, config);
  } catch {
    return undefined;
  }
}
