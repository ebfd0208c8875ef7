// Whether the host is being shut down: recorded with the boot it is true for, so that a daemon that is started again meanwhile does not
// start what was stopped, and so that it is over by itself once the host has booted.
import type { MetaTable } from '../state/ledger.ts';
import type { ObjectPlan } from './plan.ts';

const META_KEY = 'draining_boot';

export class Draining {
  readonly #meta: MetaTable;
  readonly #bootId: string;
  #on: boolean;

  constructor(meta: MetaTable, bootId: string) {
    this.#meta = meta;
    this.#bootId = bootId;
    this.#on = meta.get(META_KEY) === bootId;
  }

  get on(): boolean {
    return this.#on;
  }

  /** Returns whether that is a change. */
  set(on: boolean): boolean {
    if (on === this.#on) return false;
    this.#meta.set(META_KEY, on ? this.#bootId : '');
    this.#on = on;
    return true;
  }
}

/** Nothing is changed any more before the next boot: whatever is planned is held. */
export function heldForShutdown(planned: ObjectPlan): ObjectPlan {
  if (planned.steps.length === 0) return planned;
  const waitsFor = 'the host to boot again: it is being shut down';
  return { ...planned, steps: [], held: [...planned.steps, ...planned.held], waitsFor, heldBy: 'HostShutdown', againAt: undefined };
}
