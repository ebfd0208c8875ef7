// The dnsmasq of one network: started, adopted after a daemon restart, told of hosts by a file and a signal, restarted only when its
// command line, its program or its bridge is another one.
import { mkdir, readdir, readFile, rm, rmdir, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, isErrno, toAppError } from '../../../core/errors.ts';
import { hashOf } from '../../../core/hash.ts';
import type { DhcpHost, DhcpReading, DhcpSpec } from '../../ports/network.ts';
import { mustRun } from '../../run/run.ts';
import { replaceFile } from '../replace-file.ts';
import { type Account, dnsmasqArguments, type DnsmasqFiles, dnsmasqFiles } from './arguments.ts';
import { checkHost, parseHosts, renderHosts, renderNames } from './hosts-file.ts';
import { parseLeases } from './leases.ts';
import { endServers, findServer, type ServerProcess } from './server-process.ts';

/** Written before the process is started, and again with pid and start time. */
interface ServerRecord {
  readonly spec: DhcpSpec;
  readonly argv: readonly string[];
  /** Of the bridge: a bridge that was deleted and made again has another, and dnsmasq's sockets are bound to the old one. */
  readonly ifindex: number;
  readonly pid?: number;
  readonly startTicks?: number;
}

const START_MS = 20_000;
const MAX_LOG_BYTES = 1024 * 1024;

export class DhcpServer {
  readonly #bridge: string;
  readonly #files: DnsmasqFiles;
  readonly #account: Account;
  readonly #exited: (bridge: string) => void;
  #record: ServerRecord | undefined;
  #process: ServerProcess | undefined;
  /** As in the file. */
  #hosts: ReadonlyMap<string, DhcpHost> = new Map();
  /** As asked for; the next flush makes the file so. */
  #wanted = new Map<string, DhcpHost>();
  /** Of the files of hosts when they were last written or read; undefined before the first look. */
  #stamps: string | undefined;
  #writing = false;
  #writes = 0;
  #flush: Promise<void> | undefined;
  #leases: { readonly text: string; readonly parsed: DhcpReading['leases'] } = { text: '', parsed: [] };
  /** Starts, stops and flushes one after another. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(bridge: string, directory: string, account: Account, exited: (bridge: string) => void) {
    this.#bridge = bridge;
    this.#files = dnsmasqFiles(directory);
    this.#account = account;
    this.#exited = exited;
  }

  /** Reads the files of an earlier daemon and adopts its process. */
  async load(): Promise<void> {
    this.#hosts = parseHosts(await readPresent(this.#files.hosts));
    this.#wanted = new Map(this.#hosts);
    // The list of names follows from it: lost or changed while no daemon ran, it is written again.
    if ((await readPresent(this.#files.names)) !== renderNames(this.#hosts)) this.#stamps = 'another';
    this.#record = parseRecord(await readPresent(this.#files.record));
    if (this.#record !== undefined) await this.#adopt(this.#record);
    // All of it was removed but the directory, with what a killed daemon left half-written there: nobody else writes yet.
    await this.#tidy((name) => name.startsWith('dnsmasq.') || name.endsWith('.new'));
  }

  /** True while there is anything of this network's DHCP server on the host. */
  get exists(): boolean {
    return this.#record !== undefined || this.#hosts.size > 0 || this.#wanted.size > 0;
  }

  async read(): Promise<DhcpReading> {
    const process = this.#process?.alive() ? this.#process : undefined;
    return {
      bridge: this.#bridge,
      pid: process?.pid,
      running: process !== undefined,
      specHash: process !== undefined && (await this.#isCurrent(process)) ? hashOf(this.#record?.spec) : undefined,
      hosts: this.#hosts,
      hostsIntact: await this.#hostsIntact(),
      leases: await this.#readLeases(),
    };
  }

  /** The same list while the file says the same: whoever made an index of it need not make another. */
  async #readLeases(): Promise<DhcpReading['leases']> {
    const text = await readFile(this.#files.leases, 'utf8').catch(() => '');
    if (text !== this.#leases.text) this.#leases = { text, parsed: parseLeases(text) };
    return this.#leases.parsed;
  }

  async start(spec: DhcpSpec, signal: AbortSignal): Promise<void> {
    await this.#inTurn(async () => {
      const running = this.#process?.alive() ? this.#process : undefined;
      if (running !== undefined && hashOf(this.#record?.spec) === hashOf(spec) && (await this.#isCurrent(running))) return;
      await this.#end();
      await this.#launch(spec, signal);
    });
  }

  /** Ends the process and forgets leases. Hosts stay until they are removed. Not running is fine. */
  async stop(): Promise<void> {
    await this.#inTurn(async () => {
      await this.#end();
      for (const file of [this.#files.record, this.#files.leases, this.#files.log]) await rm(file, { force: true });
      this.#record = undefined;
      await this.#tidy();
    });
  }

  async setHost(key: string, host: DhcpHost): Promise<void> {
    checkHost(key, host);
    this.#wanted.set(key, host);
    await this.#flushSoon();
  }

  async removeHost(key: string): Promise<void> {
    if (!this.#wanted.delete(key)) return;
    await this.#flushSoon();
  }

  /** The files of hosts as they should be, whatever became of them. */
  async rewriteHosts(): Promise<void> {
    await this.#inTurn(async () => {
      await mkdir(this.#files.directory, { recursive: true, mode: 0o711 });
      await this.#writeHosts(this.#hosts);
      this.#process?.reload();
    });
  }

  /** True when the bridge is another one than the process was started on. */
  async hasLostBridge(): Promise<boolean> {
    return this.#record !== undefined && this.#process !== undefined && (await readIfindex(this.#bridge)) !== this.#record.ifindex;
  }

  /** Lets go of the process without ending it. */
  async close(): Promise<void> {
    await this.#last;
    this.#process?.release();
    this.#process = undefined;
  }

  async #isCurrent(process: ServerProcess): Promise<boolean> {
    const record = this.#record;
    if (record === undefined || (await readIfindex(this.#bridge)) !== record.ifindex || (await process.isOutdated())) return false;
    // Another version of Lockstep may use other arguments for the same spec.
    return record.argv.join('\0') === dnsmasqArguments(record.spec, this.#files, this.#account).join('\0');
  }

  async #launch(spec: DhcpSpec, signal: AbortSignal): Promise<void> {
    const argv = dnsmasqArguments(spec, this.#files, this.#account);
    const ifindex = await readIfindex(this.#bridge);
    if (ifindex === undefined) {
      throw new AppError('NETWORK_MISSING', { bridge: this.#bridge }, { message: `The bridge "${this.#bridge}" is not there.` });
    }
    await mkdir(this.#files.directory, { recursive: true, mode: 0o711 });
    // A daemon that was killed while one started: it has the address by now, and no pid was noted.
    await endServers([argv, ...(this.#record === undefined ? [] : [this.#record.argv])]);
    this.#record = { spec, argv, ifindex };
    await this.#saveRecord();
    await this.#writeHosts(new Map(this.#wanted));
    await rm(this.#files.pid, { force: true });
    const log = await stat(this.#files.log).catch(() => undefined);
    if (log !== undefined && log.size > MAX_LOG_BYTES) await truncate(this.#files.log);
    // It goes to the background by itself, in a session of its own, when its sockets are open: the exit code says whether it works.
    await mustRun(argv, { signal, timeoutMs: START_MS, service: true }).catch((error: unknown) => {
      if (['TOOL_MISSING', 'CANCELLED', 'TIMED_OUT'].includes(toAppError(error).code)) throw error;
      throw new AppError(
        'NETWORK_FAILED',
        { bridge: this.#bridge },
        {
          message: `The DHCP and DNS server of bridge "${this.#bridge}" did not start.`,
          hint: `See which program uses the address: ss -lunp 'sport = :53 or sport = :67'. The server's log is ${this.#files.log}.`,
          cause: error,
        },
      );
    });
    await this.#adopt(this.#record);
    if (this.#process === undefined) {
      const message = `The DHCP and DNS server of bridge "${this.#bridge}" ended right after its start.`;
      throw new AppError('NETWORK_FAILED', { bridge: this.#bridge }, { message, hint: `Its log is ${this.#files.log}.` });
    }
  }

  /** Finds the process of a record: by its pid, or by the pid file when the daemon was killed before it noted the pid. */
  async #adopt(record: ServerRecord): Promise<void> {
    const pid = record.pid ?? Number((await readFile(this.#files.pid, 'utf8').catch(() => '')).trim());
    if (!Number.isSafeInteger(pid) || pid <= 1) return;
    this.#process = await findServer(pid, record.argv, record.startTicks, () => this.#exited(this.#bridge));
    if (this.#process === undefined || record.pid !== undefined) return;
    this.#record = { ...record, pid, startTicks: this.#process.startTicks };
    await this.#saveRecord();
  }

  async #end(): Promise<void> {
    await this.#process?.stop();
    this.#process = undefined;
    await rm(this.#files.pid, { force: true });
  }

  async #saveRecord(): Promise<void> {
    await replaceFile(this.#files.record, `${JSON.stringify(this.#record)}\n`, { mode: 0o600 });
  }

  /** All hosts set in the same turn of the event loop, or while another flush runs, become one write and one signal. */
  async #flushSoon(): Promise<void> {
    this.#flush ??= this.#inTurn(async () => {
      await new Promise(setImmediate);
      this.#flush = undefined;
      const wanted = new Map(this.#wanted);
      try {
        await mkdir(this.#files.directory, { recursive: true, mode: 0o711 });
        await this.#writeHosts(wanted);
      } catch (error) {
        this.#wanted = new Map(this.#hosts);
        throw error;
      }
      this.#process?.reload();
      if (wanted.size === 0) await this.#tidy();
    });
    await this.#flush;
  }

  async #writeHosts(hosts: ReadonlyMap<string, DhcpHost>): Promise<void> {
    const withNames = this.#record?.spec.dnsMode !== 'none';
    const readable = { mode: 0o640, gid: this.#account.gid };
    this.#writing = true;
    this.#writes++;
    try {
      await replaceFile(this.#files.names, renderNames(hosts), readable);
      await replaceFile(this.#files.hosts, renderHosts(hosts, { withNames }), readable);
      this.#hosts = hosts;
      this.#stamps = await this.#readStamps();
    } finally {
      this.#writing = false;
    }
  }

  async #hostsIntact(): Promise<boolean> {
    const writes = this.#writes;
    const now = await this.#readStamps();
    this.#stamps ??= now;
    // What we are writing ourselves at this moment is no change from outside.
    return this.#writing || writes !== this.#writes || now === this.#stamps;
  }

  /** Changes with every change of the files: a thousand hosts are not read again at each look. */
  async #readStamps(): Promise<string> {
    const stamps = [this.#files.hosts, this.#files.names].map(async (file) => {
      const at = await stat(file, { bigint: true }).catch(() => undefined);
      return at === undefined ? '-' : `${at.ino}.${at.size}.${at.mtimeNs}.${at.ctimeNs}`;
    });
    return (await Promise.all(stamps)).join(' ');
  }

  /** Removes what is left of its files, and the directory when nothing else of this network is in it. */
  async #tidy(isLeft = (name: string): boolean => name.startsWith('dnsmasq.')): Promise<void> {
    if (this.exists) return;
    const names = await readdir(this.#files.directory).catch(() => []);
    for (const name of names.filter(isLeft)) await rm(join(this.#files.directory, name), { force: true });
    await rmdir(this.#files.directory).catch(() => {});
  }

  async #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => {});
    await turn;
  }
}

/** A file that is not there is empty; one that cannot be read is not. */
async function readPresent(file: string): Promise<string> {
  return await readFile(file, 'utf8').catch((cause: unknown) => {
    if (isErrno(cause, 'ENOENT')) return '';
    throw new AppError('HOST_UNREADABLE', { file }, { message: `The file "${file}" of a DHCP server could not be read.`, cause });
  });
}

async function readIfindex(link: string): Promise<number | undefined> {
  try {
    return Number(await readFile(`/sys/class/net/${link}/ifindex`, 'utf8'));
  } catch (cause) {
    // ENODEV: it goes away while it is read. Anything else (no descriptor left) says nothing of the bridge, and a server is ended for it.
    if (isErrno(cause, 'ENOENT') || isErrno(cause, 'ENODEV')) return undefined;
    throw new AppError('HOST_UNREADABLE', { link }, { message: `The link "${link}" could not be looked at.`, cause });
  }
}

function parseRecord(text: string): ServerRecord | undefined {
  try {
    const record = JSON.parse(text) as Partial<ServerRecord>;
    if (typeof record.spec !== 'object' || !Array.isArray(record.argv) || typeof record.ifindex !== 'number') return undefined;
    return record as ServerRecord;
  } catch {
    return undefined;
  }
}
