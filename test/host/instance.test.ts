// The instance kind on the real host: busybox instances on a dir pool, driven as the engine does it, looked at from outside.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  existsSync,
  globSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
  chmodSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { readBootId } from '../../src/core/clock.ts';
import { uuidv7 } from '../../src/core/hash.ts';
import { silentLog } from '../../src/core/log.ts';
import { cgroupDir } from '../../src/core/names.ts';
import { makePaths, type Paths } from '../../src/core/paths.ts';
import { makeRef, refKey, type ResourceRef } from '../../src/core/ref.ts';
import { probeCapabilities } from '../../src/host/capabilities.ts';
import { hostFiles } from '../../src/host/devices/host-files.ts';
import { createImagePort } from '../../src/host/images/image-port.ts';
import { createLxcPort } from '../../src/host/lxc/lxc-port.ts';
import type { Host } from '../../src/host/ports/host.ts';
import type { ImageReading } from '../../src/host/ports/images.ts';
import { createStoragePort } from '../../src/host/storage/storage-port.ts';
import { CachedHostView } from '../../src/host/view.ts';
import type { InstanceActual } from '../../src/kinds/instance/actual.ts';
import { instanceKind } from '../../src/kinds/instance/kind.ts';
import { writeSeccompPolicies } from '../../src/kinds/instance/seccomp.ts';
import type { InstanceSpec } from '../../src/kinds/instance/spec.ts';
import type { Facts, Observed, Recorded } from '../../src/kinds/kind.ts';
import { targetOf } from '../../src/kinds/storage-pool/spec.ts';
import { parseManifests } from '../../src/schemas/parse.ts';
import { MemoryNetwork } from '../fakes/memory-network.ts';

/** Of this process: other runs on this host have their own. */
const PREFIX = `f${(process.pid % 36 ** 3).toString(36)}`;
const skip = process.getuid?.() === 0 ? false : 'needs root';
const signal = (): AbortSignal => AbortSignal.timeout(60_000);

/** Everything one test run makes lies in one directory, and its cgroups below one name. */
class Bench {
  readonly root = mkdtempSync('/var/tmp/lockstep-instance-');
  readonly paths: Paths = makePaths(join(this.root, 'state'), join(this.root, 'run'));
  readonly name = `t${randomBytes(3).toString('hex')}`;
  readonly ref: ResourceRef = makeRef('Instance', this.name);
  readonly uid = uuidv7(Date.now());
  readonly allocations = new Map<string, string>();
  readonly pool = { driver: 'dir', source: undefined, sizeBytes: undefined, mountOptions: undefined } as const;
  host!: Host;
  lxc!: Awaited<ReturnType<typeof createLxcPort>>;
  image!: ImageReading;
  desired: InstanceSpec | undefined;
  waiting: Recorded['waiting'];

  async open(): Promise<void> {
    chmodSync(this.root, 0o711);
    mkdirSync(this.paths.stateDir, { mode: 0o711 });
    this.lxc = await createLxcPort({ paths: this.paths, prefix: PREFIX, log: silentLog });
    await writeSeccompPolicies(this.paths);
    const storage = createStoragePort({ paths: this.paths, prefix: PREFIX, log: silentLog });
    const images = createImagePort({ paths: this.paths, log: silentLog });
    const capabilities = await probeCapabilities();
    this.host = { capabilities, lxc: this.lxc, storage, images, network: new MemoryNetwork(), files: hostFiles };
    await storage.createPool(targetOf(this.pool, 'main', this.paths), signal());
    this.image = await images.create({ type: 'build-busybox' }, 'busybox', this.uid, () => undefined, signal());
  }

  async close(): Promise<void> {
    await this.lxc.kill(this.name, signal()).catch(() => undefined);
    await this.lxc.undefine(this.name).catch(() => undefined);
    await this.lxc.close();
    await this.host.storage.deactivatePool(targetOf(this.pool, 'main', this.paths), signal()).catch(() => undefined);
    rmSync(this.root, { recursive: true, force: true });
  }

  declare(config: string, devices = ''): void {
    const text = `apiVersion: lockstep/v1
kind: Instance
metadata: { name: ${this.name} }
spec:
  image: busybox
  profiles: []
  config: { boot.host_shutdown_timeout: "3"${config === '' ? '' : `, ${config}`} }
  devices: { root: { type: disk, path: /, pool: main }${devices === '' ? '' : `, ${devices}`} }
`;
    const { documents, problems } = parseManifests([{ path: 'a.yaml', text, source: 'test' }]);
    const [document] = documents;
    if (document === undefined) throw new Error(problems.map((problem) => problem.message).join(' '));
    const { spec, problems: found } = instanceKind.resolve(document, { document: () => undefined });
    if (spec === undefined) throw new Error(found.map((problem) => problem.message).join(' '));
    this.desired = spec;
  }

  get recorded(): Recorded {
    const { uid, ref, allocations, waiting } = this;
    const rest = { source: 'test', applied: undefined, protected: false, exits: [], startedAt: undefined, firstLookSinceBoot: false };
    return { uid, ref, allocations, waiting, ...rest };
  }

  get facts(): Facts {
    return {
      now: Date.now(),
      bootId: readBootId(),
      prefix: PREFIX,
      paths: this.paths,
      host: this.host.capabilities,
      taken: () => new Set(),
      free: (_scope, candidates) => [...candidates()][0],
      desired: (ref) => (ref.kind === 'StoragePool' ? this.pool : undefined),
      actual: (ref) => (ref.kind === 'Image' ? this.image : undefined),
      recorded: () => undefined,
      tombstones: () => [],
      retention: { ms: 24 * 3600_000, share: 0.1 },
    };
  }

  observe(): Promise<Observed<InstanceActual>> {
    return instanceKind.observe(new CachedHostView(this.host), this.ref, this.recorded, signal());
  }

  async actual(): Promise<InstanceActual> {
    const seen = await this.observe();
    if (seen.is === 'unknown') throw seen.because;
    if (seen.is === 'absent') throw new Error('It is absent.');
    return seen.actual;
  }

  async plan(): Promise<ReturnType<typeof instanceKind.diff>> {
    return this.planFrom(await this.observe());
  }

  planFrom(seen: Observed<InstanceActual>): ReturnType<typeof instanceKind.diff> {
    if (seen.is === 'unknown') throw seen.because;
    if (this.desired !== undefined) {
      for (const { what, value } of instanceKind.allocate(this.desired, this.recorded, this.facts)) this.allocations.set(what, value);
    }
    const actual = seen.is === 'present' ? seen.actual : undefined;
    return instanceKind.diff({ ref: this.ref, desired: this.desired, actual, recorded: this.recorded, facts: this.facts });
  }

  async converge(): Promise<string[]> {
    const done: string[] = [];
    const until = Date.now() + 45_000;
    while (Date.now() < until) {
      const { waiting } = this;
      const seen = await this.observe();
      // What goes down can be half gone: its control groups are removed one after the other.
      if (waiting !== undefined && seen.is === 'unknown') {
        await new Promise((resolve) => setTimeout(resolve, 50));
        continue;
      }
      const steps = this.planFrom(seen);
      if (steps.length === 0) return done;
      if (waiting !== undefined && steps[0]?.change.do === waiting.change && Date.now() < waiting.sinceMs + waiting.deadlineMs) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        continue;
      }
      this.waiting = undefined;
      for (const { change } of steps) {
        done.push(change.do);
        const run = { signal: signal(), step: <T>(_name: string, work: () => Promise<T>) => work(), progress: () => undefined };
        const outcome = await instanceKind.apply(this.host, this.ref, change, run);
        if (outcome === 'done') continue;
        this.waiting = { change: change.do, sinceMs: Date.now(), deadlineMs: outcome.deadlineMs };
        break;
      }
    }
    throw new Error(`It does not converge: ${done.join(', ')}`);
  }

  async exec(...command: string[]): Promise<{ code: number; output: string }> {
    const process = await this.lxc.exec(this.name, { command, environment: { PATH: '/bin:/sbin:/usr/bin:/usr/sbin' } });
    process.stdin.end();
    let output = '';
    process.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    process.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const [code] = await Promise.all([process.exited, once(process.stdout, 'close')]);
    return { code, output: output.trim() };
  }

  /** A control file of the payload, from whichever hierarchy has it. */
  cgroup(file: string): string {
    const found = globSync(`/sys/fs/cgroup/{.,*}/${cgroupDir(PREFIX, this.name)}/payload/${file}`)[0];
    assert.ok(found, `no ${file}`);
    return readFileSync(found, 'utf8').trim();
  }

  cgroupDirs(): string[] {
    return globSync(`/sys/fs/cgroup/{.,*}/${cgroupDir(PREFIX, this.name)}`);
  }

  get rootfs(): string {
    return join(this.paths.pool('main'), 'containers', this.name, 'rootfs');
  }
}

describe('an instance on this host', { skip, timeout: 180_000 }, () => {
  const bench = skip === false ? new Bench() : (undefined as unknown as Bench);
  const memory = (): string => (bench.host.capabilities.cgroup === 'v2' ? 'memory.max' : 'memory.limit_in_bytes');
  before(() => bench.open());
  after(() => bench.close());

  it('is made and started, and then nothing is left to do', async () => {
    writeFileSync(join(bench.root, 'a file'), 'from the host\n');
    mkdirSync(join(bench.root, 'shared dir'));
    bench.declare(
      'limits.memory: 64MiB, limits.processes: "60", limits.cpu: "1", environment.COLOUR: "dark # blue", limits.kernel.nofile: "100:200"',
      [
        `file: { type: disk, source: "${bench.root}/a file", path: /mnt/in put, readonly: "true" }`,
        `dir: { type: disk, source: "${bench.root}/shared dir", path: /srv/shared }`,
        'scratch: { type: disk, source: "tmpfs:", path: /scratch, size: 1MiB }',
        'gone: { type: disk, source: /does/not/exist, path: /gone, required: "false" }',
        'zero: { type: unix-char, source: /dev/zero, path: /dev/nought, uid: "7", gid: "8", mode: "0640" }',
      ].join(', '),
    );
    assert.deepEqual(await bench.converge(), ['create', 'start']);
    assert.deepEqual(await bench.plan(), []);
    const { ready, reason } = instanceKind.condition(bench.desired!, await bench.actual(), bench.recorded, bench.facts);
    assert.deepEqual([ready, reason], [true, 'DeviceLeftOut']);
  });

  it('has an init in its own id range, and files on disk that belong to root', async () => {
    const { initPid } = await bench.actual();
    const first = Number(bench.allocations.get('idrange'));
    assert.match(readFileSync(`/proc/${initPid}/status`, 'utf8'), new RegExp(`^Uid:\\t${first}\\t${first}\\t`, 'm'));
    assert.match(readFileSync(`/proc/${initPid}/status`, 'utf8'), /^Seccomp:\t2$/m);
    assert.equal(lstatSync(join(bench.rootfs, 'bin')).uid, 0);
    await bench.exec('sh', '-c', 'echo hi > /made-inside; chown 5:6 /made-inside');
    const made = lstatSync(join(bench.rootfs, 'made-inside'));
    assert.deepEqual([made.uid, made.gid], [5, 6], 'the mount is id-mapped');
    await bench.exec('sh', '-c', 'echo hi > /tmp/x; echo hi > /scratch/x');
    const scratch = statSync(`/proc/${initPid}/root/scratch/x`);
    assert.equal(scratch.uid, first, 'what is not on the mapped mount belongs to the range');
  });

  it('has namespaces of its own, the network one too though it has no NIC', async () => {
    const { initPid } = await bench.actual();
    for (const namespace of ['net', 'pid', 'mnt', 'uts', 'ipc', 'user', 'cgroup']) {
      assert.notEqual(readlinkSync(`/proc/${initPid}/ns/${namespace}`), readlinkSync(`/proc/self/ns/${namespace}`), namespace);
    }
  });

  it('is held by its limits', async () => {
    assert.equal(bench.cgroup(memory()), '67108864');
    assert.equal(bench.cgroup('pids.max'), '60');
    assert.match(bench.cgroup('cpuset.cpus'), /^\d+$/);
    const { initPid } = await bench.actual();
    assert.match(readFileSync(`/proc/${initPid}/limits`, 'utf8'), /Max open files\s+100\s+200/);
  });

  it('has its devices, with names and owners as declared', async () => {
    assert.equal((await bench.exec('cat', '/mnt/in put')).output, 'from the host');
    assert.notEqual((await bench.exec('sh', '-c', 'echo no > "/mnt/in put"')).code, 0);
    assert.equal((await bench.exec('sh', '-c', 'test -d /srv/shared && echo there')).output, 'there');
    assert.match((await bench.exec('sh', '-c', 'ls -ln /dev/nought')).output, /^crw-r-----\s+1 7\s+8\s+1,\s+5 /);
    assert.equal((await bench.exec('sh', '-c', 'head -c 3 /dev/nought | wc -c')).output, '3');
    assert.match((await bench.exec('sh', '-c', 'df -k /scratch | tail -1')).output, / 1024 /);
    assert.notEqual((await bench.exec('sh', '-c', 'test -e /gone')).code, 0);
    assert.notEqual((await bench.exec('mknod', '/tmp/disk', 'b', '8', '0')).code, 0);
  });

  it('gave its init the environment, and nothing of the daemon', async () => {
    const { initPid } = await bench.actual();
    const environment = readFileSync(`/proc/${initPid}/environ`, 'utf8').split('\0');
    assert.ok(environment.includes('COLOUR=dark # blue'), environment.join(' '));
    assert.ok(!environment.some((entry) => entry.startsWith('HOME=/root') || entry.startsWith('LOCKSTEP')), environment.join(' '));
  });

  it('gets a limit changed while it runs, and back when somebody else changes it', async () => {
    bench.declare('limits.memory: 64MiB');
    assert.deepEqual(await bench.converge(), ['setLimits', 'configure', 'shutdown', 'start'], 'devices are gone: a restart');
    const { initPid } = await bench.actual();
    for (const [text, bytes] of [
      ['128MiB', 128 * 1024 ** 2],
      ['96MiB', 96 * 1024 ** 2],
    ] as const) {
      bench.declare(`limits.memory: ${text}`);
      assert.deepEqual(await bench.converge(), ['setLimits', 'configure']);
      assert.equal(bench.cgroup(memory()), String(bytes));
    }
    await bench.lxc.setCgroup(bench.name, memory(), '50000000');
    assert.deepEqual(await bench.converge(), ['setLimits']);
    assert.equal(bench.cgroup(memory()), String(96 * 1024 ** 2));
    bench.declare('');
    assert.deepEqual(await bench.converge(), ['setLimits', 'configure']);
    assert.ok(bench.cgroup(memory()) === 'max' || Number(bench.cgroup(memory())) > 2 ** 62);
    assert.equal((await bench.actual()).initPid, initPid, 'all that went live');
  });

  it('comes back when its init is killed', async () => {
    const { initPid } = await bench.actual();
    process.kill(initPid!, 'SIGKILL');
    const until = Date.now() + 5000;
    while ((await bench.actual()).power !== 'Stopped' && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 10));
    assert.equal((await bench.actual()).exit?.signal, 9);
    assert.deepEqual(await bench.converge(), ['start']);
    assert.notEqual((await bench.actual()).initPid, initPid);
  });

  it('is frozen and thawed', async () => {
    bench.desired = { ...bench.desired!, state: 'Frozen' };
    assert.deepEqual(await bench.converge(), ['configure', 'freeze']);
    assert.equal((await bench.actual()).power, 'Frozen');
    bench.desired = { ...bench.desired, state: 'Running' };
    assert.deepEqual(await bench.converge(), ['configure', 'unfreeze']);
  });

  it('runs privileged when that is declared, with fewer capabilities and devices', async () => {
    bench.declare('security.privileged: "true"', 'zero: { type: unix-char, source: /dev/zero, path: /dev/nought }');
    await bench.converge();
    const { initPid } = await bench.actual();
    assert.match(readFileSync(`/proc/${initPid}/status`, 'utf8'), /^Uid:\t0\t0\t/m);
    assert.equal(readlinkSync(`/proc/${initPid}/ns/user`), readlinkSync('/proc/self/ns/user'));
    const bounding = BigInt(`0x${/^CapBnd:\t([0-9a-f]+)$/m.exec(readFileSync(`/proc/${initPid}/status`, 'utf8'))![1]}`);
    for (const bit of [16n, 17n, 25n]) assert.equal((bounding >> bit) & 1n, 0n, `capability ${bit}`);
    assert.equal((await bench.exec('sh', '-c', 'head -c 2 /dev/nought | wc -c')).output, '2');
    assert.notEqual((await bench.exec('sh', '-c', 'mknod /tmp/mem c 1 1 && head -c 1 /tmp/mem')).code, 0);
    bench.declare('');
    await bench.converge();
    const back = await bench.actual();
    assert.match(readFileSync(`/proc/${back.initPid}/status`, 'utf8'), new RegExp(`^Uid:\\t${bench.allocations.get('idrange')}\\t`, 'm'));
  });

  it('is deleted: nothing is left but its tombstone', async () => {
    bench.desired = undefined;
    assert.deepEqual(await bench.converge(), ['delete']);
    assert.equal((await bench.observe()).is, 'absent');
    assert.ok(!existsSync(bench.paths.instance(bench.name)));
    assert.deepEqual(bench.cgroupDirs(), []);
    const tombstones = await bench.host.storage.listTombstones('main');
    assert.equal(tombstones.length, 1);
    assert.match(tombstones[0]!.name, new RegExp(`^${bench.uid}\\.\\d+$`));
    assert.ok(!readFileSync('/proc/net/unix', 'utf8').includes(`${bench.paths.instances}/${bench.name}/`));
    assert.equal(refKey(bench.ref), `Instance/default/-/${bench.name}`);
  });
});
