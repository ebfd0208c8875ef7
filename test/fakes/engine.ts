// The whole engine over an in-memory ledger, fake kinds and a source that is a Map of files: what the loop's tests run.
import { systemClock } from '../../src/core/clock.ts';
import type { NewEvent } from '../../src/core/events.ts';
import { silentLog } from '../../src/core/log.ts';
import { isReady } from '../../src/core/object-status.ts';
import { type KindName, makeRef, type RefKey, refKey } from '../../src/core/ref.ts';
import { CachedHostView } from '../../src/host/view.ts';
import type { Host } from '../../src/host/ports/host.ts';
import { type AnyKind, erase, type Kind, type KindTable } from '../../src/kinds/kind.ts';
import { ReconcilerControl } from '../../src/reconciler/control-port.ts';
import { patiently } from '../../src/reconciler/elsewhere.ts';
import { Executor } from '../../src/reconciler/execute.ts';
import type { Boundary } from '../../src/reconciler/fault.ts';
import { Reconciler } from '../../src/reconciler/loop.ts';
import type { ReconcilerMetrics } from '../../src/reconciler/reconciler-metrics.ts';
import { SourceSet } from '../../src/reconciler/source-set.ts';
import { hashOf } from '../../src/core/hash.ts';
import type { ManifestDocument } from '../../src/schemas/document.ts';
import { ForgottenSource } from '../../src/sources/forgotten.ts';
import type { Snapshot, Source } from '../../src/sources/snapshot.ts';
import { StoredSource, storedFile } from '../../src/sources/stored.ts';
import type { Ledger } from '../../src/state/ledger.ts';
import { openLedger } from '../../src/state/open.ts';
import { baseFacts } from './engine-input.ts';
import { type FakeSpec, type FakeThing, FakeWorld, needOf } from './fake-kind.ts';

/** Files by path; undefined text: unreadable. Change it, then call `changed()`. */
export class MemorySource implements Source {
  readonly name: string;
  readonly location = 'memory';
  readonly files = new Map<string, string | undefined>();
  down = false;
  /** A reading ends when this does. */
  hangs: Promise<void> | undefined;
  complete = true;
  /** How long the content has been still when it is read. */
  stillForMs = 5000;
  #changed: () => void = () => {};

  constructor(name: string) {
    this.name = name;
  }

  async read(): Promise<Snapshot> {
    await this.hangs;
    if (this.down) throw new Error('the source is down');
    const files = [...this.files].map(([path, text]) => ({ path, text }));
    return {
      source: this.name,
      revision: hashOf(files),
      files,
      complete: this.complete && files.every((file) => file.text !== undefined),
      since: Date.now() - this.stillForMs,
    };
  }

  async watch(changed: () => void): Promise<void> {
    this.#changed = changed;
  }

  changed(): void {
    this.#changed();
  }

  async close(): Promise<void> {}
}

export interface EngineOptions {
  readonly world?: FakeWorld;
  readonly ledger?: Ledger;
  readonly source?: MemorySource;
  readonly boundary?: Boundary;
  readonly bootId?: string;
  readonly driftOf?: (source: string) => 'repair' | 'report';
  readonly metrics?: ReconcilerMetrics;
  /** With `kinds`: real kinds over this host instead of fake ones over `world`. */
  readonly host?: Host;
  readonly kinds?: KindTable;
  readonly lookMs?: number;
  readonly sourcePatienceMs?: number;
  readonly takenElsewhere?: () => Promise<(scope: string) => ReadonlySet<string>>;
  readonly allocated?: (what: string, value: string, uid: string) => Promise<void>;
  readonly released?: (what: string, value: string, uid: string) => Promise<void>;
}

export class Engine {
  readonly world: FakeWorld;
  readonly ledger: Ledger;
  readonly source: MemorySource;
  readonly events: NewEvent[] = [];
  readonly reconciler: Reconciler;
  readonly control: ReconcilerControl;
  readonly view: CachedHostView;
  readonly sources: SourceSet;

  constructor(options: EngineOptions = {}) {
    this.world = options.world ?? new FakeWorld();
    this.ledger = options.ledger ?? openLedger(':memory:');
    this.source = options.source ?? new MemorySource('dir');
    const host = options.host ?? ({} as Host);
    this.view = new CachedHostView(host);
    const kinds = options.kinds ?? engineKinds(this.world);
    const events = { emit: (event: NewEvent) => void this.events.push(event) };
    const sources = new SourceSet(
      [this.source, new StoredSource('api', this.ledger.documents)],
      systemClock,
      events,
      (row) => new ForgottenSource(row),
      options.sourcePatienceMs,
    );
    this.sources = sources;
    const executor = new Executor({ host, clock: systemClock, boundary: options.boundary ?? (() => {}), workWidth: 8, startWidth: 8 });
    this.reconciler = new Reconciler({
      ledger: this.ledger,
      kinds,
      view: this.view,
      sources,
      executor,
      clock: systemClock,
      events,
      log: silentLog,
      facts: (({ now: _now, taken: _taken, tombstones: _tombstones, ...rest }) => rest)(baseFacts({ bootId: options.bootId ?? 'boot-1' })),
      takenElsewhere: patiently(options.takenElsewhere ?? (async () => () => new Set())),
      ...(options.lookMs === undefined ? {} : { lookMs: options.lookMs }),
      ...(options.allocated === undefined ? {} : { allocated: options.allocated }),
      ...(options.released === undefined ? {} : { released: options.released }),
      fingerprint: (secret) => `fingerprint ${hashOf(secret).slice(0, 8)}`,
      random: () => 0,
      ...(options.metrics === undefined ? {} : { metrics: options.metrics }),
      ...(options.driftOf === undefined ? {} : { driftOf: options.driftOf }),
    });
    this.control = new ReconcilerControl({
      reconciler: this.reconciler,
      ledger: this.ledger,
      kinds,
      host,
      sources,
      events,
      clock: systemClock,
      fingerprint: (secret) => `fingerprint ${hashOf(secret).slice(0, 8)}`,
      storedSource: (name) => new StoredSource(name, this.ledger.documents),
      storedFile,
      about: { version: 'test', pid: 1, startedAt: 0, prefix: 'tt', stateDir: '/state' },
    });
  }

  /** Writes a file of the source and tells the loop. */
  write(path: string, text: string | undefined): void {
    this.source.files.set(path, text);
    this.source.changed();
  }

  remove(path: string): void {
    this.source.files.delete(path);
    this.source.changed();
  }

  /** Waits until `check` holds; fails with the state of things after two seconds. */
  /** The limit is for what never happens: a machine that runs tests may stand still for ten seconds. */
  async until(check: () => boolean, what = 'what was waited for', limitMs = 30_000): Promise<void> {
    const end = AbortSignal.timeout(limitMs);
    while (!check()) {
      if (end.aborted) throw new Error(`${what} did not happen: ${JSON.stringify(this.control.status().objects, undefined, 1)}`);
      await Promise.race([this.reconciler.changed(end), systemClock.sleep(20)]);
    }
  }

  async idle(): Promise<void> {
    await this.until(() => this.reconciler.idle, 'idleness');
  }

  ready(key: string): boolean {
    const tracked = this.reconciler.tracker.objects.get(key as RefKey);
    return tracked !== undefined && isReady(this.reconciler.tracker.status(tracked));
  }
}

function engineKinds(world: FakeWorld): ReadonlyMap<KindName, AnyKind> {
  return new Map([
    ['StoragePool', withResolve(world.kind('StoragePool'), (document) => ({ value: textOf(document, 'driver'), address: true }))],
    ['Profile', withResolve(world.kind('Profile'), () => ({ value: 'profile' }))],
    ['Instance', withResolve(world.kind('Instance', { onlyStarts: true }), instanceSpec)],
  ]);
}

/** An instance needs the pool of its root disk; its value is `user.value`. */
function instanceSpec(document: ManifestDocument): FakeSpec {
  const spec = document.spec as { config?: Record<string, string>; devices?: Record<string, Record<string, string>> };
  const pool = spec.devices?.['root']?.['pool'];
  return {
    value: spec.config?.['user.value'] ?? '',
    needs: pool === undefined ? [] : [needOf(makeRef('StoragePool', pool))],
    protect: spec.config?.['security.protection.delete'] === 'true',
  };
}

function textOf(document: ManifestDocument, field: string): string {
  return String((document.spec as Record<string, unknown>)[field]);
}

function withResolve(kind: AnyKind, spec: (document: ManifestDocument) => FakeSpec): AnyKind {
  const typed = kind as unknown as Kind<FakeSpec, FakeThing, { readonly do: string }>;
  return erase({ ...typed, resolve: (document) => ({ spec: spec(document), problems: [] }) });
}

export const POOL = manifest('StoragePool', 'fast', 'driver: dir');

export function instance(name: string, value = 'a', more = ''): string {
  return manifest(
    'Instance',
    name,
    `image: busybox\n  config: { user.value: "${value}"${more} }\n  devices: { root: { type: disk, path: /, pool: fast } }`,
  );
}

export const IMAGE = manifest('Image', 'busybox', 'source: { build: { type: busybox } }');

function manifest(kind: string, name: string, spec: string): string {
  return `apiVersion: lockstep/v1\nkind: ${kind}\nmetadata: { name: ${name} }\nspec:\n  ${spec}\n---\n`;
}

export const WEB = refKey(makeRef('Instance', 'web'));
export const FAST = refKey(makeRef('StoragePool', 'fast'));

/** A pool "fast" and an image "busybox" for the real kinds. */
export const REAL_FOUNDATION =
  manifest('StoragePool', 'fast', 'driver: btrfs\n  config: { size: 4GiB }') +
  manifest('Image', 'busybox', 'source: { build: { type: busybox } }');
