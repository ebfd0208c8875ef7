// limits.kernel.*: setrlimit(2) limits as liblxc writes them.
import type { LimitValue } from '../../core/units.ts';

export function formatLimitValue(value: LimitValue): string {
  return value === 'unlimited' ? 'unlimited' : String(value);
}
