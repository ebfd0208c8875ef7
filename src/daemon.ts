// The composition root: builds drivers, ledger, reconciler and API, joins them, and takes them apart again. It knows everything and
// decides nothing.
import { availableParallelism } from 'node:os';
import { createApi } from './api/server.ts';
import { listenForWebhooks } from './api/webhook-server.ts';
import { WebhookReceiver } from './api/webhooks/receiver.ts';
import { readBootId, systemClock } from './core/clock.ts';
import { errorText } from './core/errors.ts';
import { makeLog } from './core/log.ts';
import { endOrphanedTools, markTools } from './core/marked-processes.ts';
import { lxcName, parseLxcName } from './core/names.ts';
import { makePaths } from './core/paths.ts';
import { makeRef, type RefKey, refKey } from './core/ref.ts';
import type { DaemonOptions } from './daemon-options.ts';
import { openLedgerOrStartAnew, recoverOwnership } from './daemon-ledger.ts';
import { giveBackMemory, restWhenQuiet } from './daemon-rest.ts';
import { type SettledResult, settle } from './daemon-settle.ts';
import { probeCapabilities } from './host/capabilities.ts';
import { eventsFromEnvironment } from './host/event-families.ts';
import { subscribeHostEvents } from './host/host-events.ts';
import { hostFiles } from './host/devices/host-files.ts';
import { IdClaims } from './host/id-claims.ts';
import { openImagePort } from './host/images/image-port.ts';
import { lockDaemon } from './host/lock.ts';
import { createLxcPort } from './host/lxc/lxc-port.ts';
import { sdNotify } from './host/lxc/notify.ts';
import { loadNative } from './host/lxc/binding.ts';
import { peerCredentials } from './host/lxc/peer.ts';
import { createNetworkPort } from './host/network/network-port.ts';
import type { Host } from './host/ports/host.ts';
import { checkReachable, makeStateDir, sharePools } from './host/state-dir.ts';
import { openStoragePort } from './host/storage/storage-port.ts';
import type { VethOwner } from './host/veth-index.ts';
import { CachedHostView } from './host/view.ts';
import { kinds } from './kinds/registry.ts';
import { hostStopOf } from './kinds/instance/host-stop.ts';
import type { InstanceSpec } from './kinds/instance/spec.ts';
import { writeSeccompPolicies } from './kinds/instance/seccomp.ts';
import { createExec } from './operations/exec.ts';
import { HostShutdown } from './operations/host-shutdown.ts';
import { ReconcilerControl } from './reconciler/control-port.ts';
import { patiently } from './reconciler/elsewhere.ts';
import { Executor } from './reconciler/execute.ts';
import { Explainer } from './reconciler/explain.ts';
import { faultsFromEnvironment } from './reconciler/fault.ts';
import { Reconciler } from './reconciler/loop.ts';
import { metricsReading } from './reconciler/metrics-reading.ts';
import { objectUid } from './reconciler/recording.ts';
import { Refusals } from './reconciler/refusals.ts';
import { SourceSet } from './reconciler/source-set.ts';
import { DirectorySource } from './sources/directory.ts';
import { ForgottenSource } from './sources/forgotten.ts';
import { Mirrors } from './sources/git/mirror.ts';
import { GitSource } from './sources/git/source.ts';
import { StoredSource, storedFile } from './sources/stored.ts';
import type { Ledger } from './state/ledger.ts';
import { makeFingerprint } from './state/fingerprint.ts';
import { ledgerBytes } from './state/open.ts';
import { EventBus } from './status/event-bus.ts';
import { Metrics, type MetricsReading } from './status/metrics.ts';

const STARTUP_MS = 30_000;
/** At a shutdown of the host: how long changes under way may take to end before instances are stopped under them. */
const DRAIN_MS = 10_000;

export interface Daemon {
  /** Resolves when the signal aborts. */
  ended(signal: AbortSignal): Promise<void>;
  /** Waits until every object is Ready or cannot become so. */
  settle(timeoutMs: number, signal: AbortSignal): Promise<SettledResult>;
  close(): Promise<void>;
}

export async function startDaemon(options: DaemonOptions, version: string): Promise<Daemon> {
  const log = makeLog();
  const clock = systemClock;
  const paths = makePaths(options.stateDir, options.runDir);
  const eventFamilies = eventsFromEnvironment(process.env['LOCKSTEP_EVENTS']);
  await using undo = new AsyncDisposableStack();

  makeStateDir(paths);
  checkReachable(paths.instances);
  lockDaemon({ stateDir: paths.stateDir, prefix: options.prefix, lockFile: (path) => loadNative().lockFile(path) });
  const orphans = await endOrphanedTools(paths.stateDir, STARTUP_MS);
  if (orphans.length > 0) log.info({ pids: orphans }, 'ended what an earlier daemon left at work');
  markTools(paths.stateDir);
  await sharePools(paths, AbortSignal.timeout(STARTUP_MS));

  // First of all: the helper that forks containers must be small, so it is started before the heap grows.
  const lxc = await createLxcPort({ paths, prefix: options.prefix, log });
  undo.defer(() => lxc.close());
  const ledger = openLedgerOrStartAnew(paths.ledger, log);
  undo.defer(() => ledger.close());
  const capabilities = await probeCapabilities();
  await writeSeccompPolicies(paths);
  const network = await createNetworkPort({ paths, prefix: options.prefix, log });
  undo.defer(() => network.close());
  const storage = await openStoragePort({ paths, prefix: options.prefix, log });
  undo.defer(() => storage.close());
  const host: Host = {
    capabilities,
    lxc,
    network,
    storage,
    images: await openImagePort({ paths, log }),
    files: hostFiles,
  };

  const events = new EventBus(ledger, { clock, failed: (error) => log.error({ error: errorText(error) }, 'events were not stored') });
  undo.defer(() => events.close());
  await recoverOwnership({ ledger, paths, prefix: options.prefix, links: () => network.links(), clock, events, log });
  const fingerprint = makeFingerprint(ledger.meta);
  const claims = claimIds(ledger, paths.stateDir);
  const view = new CachedHostView(host);
  const storedNames = new Set(['api', ...ledger.documents.all().map((row) => row.source)]);
  const mirrors = new Mirrors(paths.stateDir, paths.runDir);
  const sources = new SourceSet(
    [
      ...options.sources.map((source) =>
        'git' in source
          ? new GitSource(source.name, source.git, {
              mirrors,
              stateDir: paths.stateDir,
              runDir: paths.runDir,
              clock,
              // Nobody looks a second time with --once.
              ...(options.once ? { firstWaitMs: source.git.timeoutMs } : {}),
            })
          : new DirectorySource(source.name, source.directory),
      ),
      ...[...storedNames].map((name) => new StoredSource(name, ledger.documents)),
    ],
    clock,
    events,
    (row) => new ForgottenSource(row),
  );
  const cores = availableParallelism();
  const executor = new Executor({
    host,
    clock,
    boundary: faultsFromEnvironment(process.env['LOCKSTEP_FAULT'], log),
    // Work waits for the kernel, too: a volume for the commit of the file system, which many can share, a deletion for the container's end.
    // What does not wait has a limit of its own (host/heavy-work.ts).
    workWidth: Math.max(32, 2 * cores),
    startWidth: Math.min(16, 2 + 4 * cores),
  });
  const readMetrics = (): MetricsReading => ({
    ...metricsReading({ reconciler, sources, ledger, queues: () => executor.queues() }),
    ledgerBytes: ledgerBytes(paths.ledger),
  });
  const metrics = new Metrics({ version, startedAt: clock.now(), read: readMetrics });
  undo.defer(() => metrics.close());
  const reconciler: Reconciler = new Reconciler({
    metrics,
    fingerprint,
    ledger,
    kinds,
    view,
    sources,
    executor,
    clock,
    events,
    log,
    facts: { bootId: readBootId(), prefix: options.prefix, paths, host: capabilities, retention: options.retention },
    version,
    driftOf: (source) => options.drift.get(source) ?? options.driftDefault,
    ...(options.resyncMs === undefined ? {} : { resyncMs: options.resyncMs }),
    takenElsewhere: patiently((keys) => takenElsewhere(keys, view, claims)),
    allocated: async (what, value, uid) => {
      if (what === 'idrange') claims.claim(Number(value), uid);
    },
    released: async (what, value, uid) => {
      if (what === 'idrange') claims.release(Number(value), uid);
    },
  });
  const control: ReconcilerControl = new ReconcilerControl({
    reconciler,
    ledger,
    kinds,
    host,
    sources,
    events,
    clock,
    fingerprint,
    storedSource: (name) => new StoredSource(name, ledger.documents),
    storedFile,
    about: { version, pid: process.pid, startedAt: clock.now(), prefix: options.prefix, stateDir: paths.stateDir },
  });
  const audit = (entry: { actor: string; action: string; ref: string; detail: string }): void =>
    void ledger.audit.add({ at: clock.now(), ...entry });
  const operations = createExec({
    lxc,
    target: (ref) => {
      const tracked = reconciler.tracker.objects.get(refKey(ref));
      return tracked === undefined ? undefined : { lxcName: lxcName(ref), environment: environmentOf(tracked.desired?.spec) };
    },
    audit,
  });
  const hostShutdown = new HostShutdown({
    lxc,
    clock,
    events,
    audit,
    stopOf: ({ name, record }) => {
      const { project, name: instance } = parseLxcName(name);
      const tracked = reconciler.tracker.objects.get(refKey(makeRef('Instance', instance, { project })));
      return hostStopOf(tracked?.desired?.spec as InstanceSpec | undefined, record);
    },
    drain: (on) => reconciler.drain(on, DRAIN_MS),
  });
  const webhooks = new WebhookReceiver({
    sources: options.sources.flatMap((source) => ('git' in source && source.webhook ? [{ name: source.name, ...source.webhook }] : [])),
    moved: (source) => control.sourceMoved(source),
    log,
  });
  // One for each door, so that a flood from the network hides nothing of what is tried on the socket.
  const newRefusals = (): Refusals => new Refusals({ add: (entry) => ledger.audit.add(entry), clock, log });
  const refusals = newRefusals();
  undo.defer(() => refusals.flush());
  const api = await createApi({
    refused: (refusal) => refusals.note(refusal),
    webhooks,
    control,
    explain: new Explainer({ reconciler, ledger, sources }),
    operations,
    hostShutdown,
    events,
    metrics: () => metrics.text(),
    log,
    version,
    peer: peerCredentials,
  });
  undo.defer(() => api.close());
  await api.listenUnix(paths.socket, options.socketGroup === undefined ? {} : { group: options.socketGroup });

  if (options.webhooks !== undefined) {
    const fromNetwork = newRefusals();
    undo.defer(() => fromNetwork.flush());
    const listener = await listenForWebhooks(webhooks, options.webhooks, log, (refusal) => fromNetwork.note(refusal));
    undo.defer(() => listener.close());
  }

  undo.defer(
    await subscribeHostEvents(host, {
      prefix: options.prefix,
      paths,
      view,
      families: eventFamilies,
      look: (key, cause) => reconciler.look(key, cause),
      lookAtKind: (kind, cause) => reconciler.lookAtKind(kind, cause),
      vethOwners: () => vethOwners(reconciler),
      failed: ({ message, hint }) => {
        log.warn({ hint }, message);
        events.emit({ type: 'daemon', severity: 'warning', reason: 'EventsMissing', message: `${message} ${hint ?? ''}` });
      },
    }),
  );
  undo.defer(() => reconciler.close());
  await reconciler.start();
  undo.defer(
    restWhenQuiet({
      log,
      reconciler,
      residentBytes: () => process.memoryUsage.rss(),
      giveBack: () => giveBackMemory(() => loadNative().trimMemory()),
    }),
  );
  sdNotify('READY=1');
  log.info({ pid: process.pid, prefix: options.prefix, socket: paths.socket }, 'ready');

  const parts = undo.move();
  return {
    ended: async (signal) => {
      if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    },
    settle: (timeoutMs, signal) => settle(reconciler, () => control.status(), timeoutMs, signal),
    close: async () => {
      sdNotify('STOPPING=1');
      await parts.disposeAsync();
    },
  };
}

/** Claims lie in /run and are gone after a reboot; then the ledger says what is ours. */
function claimIds(ledger: Ledger, stateDir: string): IdClaims {
  const claims = new IdClaims({ stateDir });
  const ranges = ledger.allocations
    .all()
    .filter((row) => row.what === 'idrange')
    .map((row) => ({ first: Number(row.value), uid: objectUid(row.uid) }));
  const known = new Set(ranges.map((range) => range.uid));
  claims.sweep((uid) => known.has(uid));
  for (const { first, uid } of ranges) claims.claim(first, uid);
  return claims;
}

const NOTHING: ReadonlySet<string> = new Set();

/** What other daemons claimed, and the subnets this host already knows: each read only where it may be asked for. */
async function takenElsewhere(
  keys: readonly RefKey[],
  view: CachedHostView,
  claims: IdClaims,
): Promise<(scope: string) => ReadonlySet<string>> {
  const subnets = keys.some((key) => key.startsWith('Network/')) ? await hostSubnets(view) : NOTHING;
  let ranges: ReadonlySet<string> | undefined;
  return (scope) => (scope === 'idrange' ? (ranges ??= claims.taken()) : scope === 'subnet4' ? subnets : NOTHING);
}

async function hostSubnets(view: CachedHostView): Promise<ReadonlySet<string>> {
  const { links, routes } = await view.links();
  return new Set([...routes, ...[...links.values()].flatMap((link) => link.addresses)]);
}

function* vethOwners({ tracker }: Reconciler): Iterable<VethOwner> {
  for (const { key, ref, row, desired } of tracker.objects.values()) {
    const devices = ref.kind === 'Instance' ? (desired?.spec as InstanceSpec | undefined)?.devices : undefined;
    if (devices !== undefined) yield { key, uid: row.uid, devices };
  }
}

function environmentOf(spec: unknown): Readonly<Record<string, string>> {
  if (typeof spec !== 'object' || spec === null || !('environment' in spec)) return {};
  return spec.environment as Readonly<Record<string, string>>;
}
