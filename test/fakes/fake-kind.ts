// A kind over facts in memory, for tests of the engine: it makes, starts and removes "things". Faults can be put in.
import { AppError } from '../../src/core/errors.ts';
import { type KindName, type RefKey, refKey, type ResourceRef } from '../../src/core/ref.ts';
import { type Appliers, applyWith, type Changes } from '../../src/kinds/changes.ts';
import { type AnyKind, erase, type Kind, type Need, type Observed } from '../../src/kinds/kind.ts';

export interface FakeSpec {
  readonly value: string;
  readonly needs?: readonly Need[];
  readonly address?: boolean;
  readonly protect?: boolean;
}

export interface FakeThing {
  value: string;
  filled: boolean;
  running: boolean;
  address: string | undefined;
}

interface FakeChangeTable {
  create: { value: string; address: string | undefined };
  start: { because: string };
  setValue: { from: string; to: string };
  delete: { because: string };
}

type FakeChange = Changes<FakeChangeTable>;

export class FakeWorld {
  readonly things = new Map<RefKey, FakeThing>();
  /** Throws from the applier of these objects. */
  readonly broken = new Map<RefKey, AppError>();
  /** These cannot be observed. */
  readonly hidden = new Set<RefKey>();
  readonly applied: string[] = [];
  /** Resolves before an applier's step ends. */
  delay: () => Promise<void> = async () => {};

  /** `onlyStarts`: the things stop and start like instances; others are ready when they are there. */
  kind(name: KindName, options: { onlyStarts?: boolean } = {}): AnyKind {
    return fakeKind(this, name, options);
  }

  check(key: RefKey, what: string): void {
    this.applied.push(what);
    const error = this.broken.get(key);
    if (error !== undefined) throw error;
  }
}

function fakeKind(world: FakeWorld, name: KindName, options: { onlyStarts?: boolean }): AnyKind {
  const appliers: Appliers<FakeChangeTable> = {
    async create(_host, ref, change, run) {
      const key = refKey(ref);
      world.check(key, `create ${key}`);
      await run.step('reserve', async () => {
        await world.delay();
        if (!world.things.has(key)) world.things.set(key, { value: change.value, filled: false, running: false, address: change.address });
      });
      await run.step('fill', async () => {
        world.things.get(key)!.filled = true;
      });
      return 'done';
    },
    async start(_host, ref, _change, run) {
      world.check(refKey(ref), `start ${refKey(ref)}`);
      await run.step('start', async () => {
        world.things.get(refKey(ref))!.running = true;
      });
      return 'done';
    },
    async setValue(_host, ref, change, run) {
      world.check(refKey(ref), `set ${refKey(ref)}`);
      await run.step('set', async () => {
        world.things.get(refKey(ref))!.value = change.to;
      });
      return 'done';
    },
    async delete(_host, ref, _change, run) {
      world.check(refKey(ref), `delete ${refKey(ref)}`);
      await run.step('remove', async () => {
        world.things.delete(refKey(ref));
      });
      return 'done';
    },
  };
  const kind: Kind<FakeSpec, FakeThing, FakeChange> = {
    name,
    resolve: (document) => ({ spec: document.spec as FakeSpec, problems: [] }),
    needs: (spec) => spec.needs ?? [],
    allocate(spec, recorded, facts) {
      if (spec.address !== true || recorded.allocations.has('address')) return [];
      const taken = facts.taken('address');
      const free = Array.from({ length: 100 }, (_, index) => String(index + 1)).find((value) => !taken.has(value));
      return free === undefined ? [] : [{ what: 'address', value: free }];
    },
    async observe(_view, ref): Promise<Observed<FakeThing>> {
      const key = refKey(ref);
      if (world.hidden.has(key)) return { is: 'unknown', because: new AppError('HOST_UNREADABLE') };
      const thing = world.things.get(key);
      return thing === undefined ? { is: 'absent' } : { is: 'present', actual: { ...thing } };
    },
    diff({ desired, actual, recorded, facts }) {
      if (desired === undefined) return actual === undefined ? [] : [{ change: { do: 'delete', because: 'not declared' } }];
      const steps: { change: FakeChange; notBefore?: number }[] = [];
      if (actual?.filled !== true) {
        steps.push({ change: { do: 'create', value: desired.value, address: recorded.allocations.get('address') } });
      } else if (actual.value !== desired.value) steps.push({ change: { do: 'setValue', from: actual.value, to: desired.value } });
      if (options.onlyStarts === true && actual?.running !== true) {
        const backOff = recorded.exits.length < 2 ? 0 : 1000 * 2 ** (recorded.exits.length - 2);
        const notBefore = (recorded.exits.at(-1) ?? 0) + backOff;
        steps.push({ change: { do: 'start', because: 'declared' }, ...(notBefore > facts.now ? { notBefore } : {}) });
      }
      return steps;
    },
    holds: (change, now) => now.is !== 'unknown' && (change.do === 'create' || now.is === 'present'),
    apply: (host, ref, change, run) => applyWith(appliers, host, ref, change, run),
    describe(change) {
      if (change.do === 'setValue') {
        return { verdict: 'live', summary: 'set the value', fields: [{ field: 'value', from: change.from, to: change.to }] };
      }
      return { verdict: change.do === 'start' ? 'power' : change.do, summary: change.do, fields: [] };
    },
    unasked: (change) => (change.do === 'start' ? 'policy' : undefined),
    waitsForNeeds: (change) => change.do === 'create' || change.do === 'start',
    condition: (_spec, actual) => ({ ready: actual.filled, reason: 'Active', message: '' }),
    details: (actual) => ({ value: actual.value }),
    redact: (spec) => spec,
  };
  return erase(kind);
}

export function needOf(ref: ResourceRef): Need {
  return { ref, condition: 'Present', field: 'needs' };
}
