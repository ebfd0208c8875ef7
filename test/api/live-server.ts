// The real server on a unix socket in a temporary directory, over a fake Control.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createApi } from '../../src/api/server.ts';
import { AppError } from '../../src/core/errors.ts';
import { silentLog } from '../../src/core/log.ts';
import type { Refusal } from '../../src/reconciler/refusals.ts';
import type { HostShutdownPort, Operations } from '../../src/operations/operations.ts';
import { FakeExplain } from './fake-explain.ts';
import { FakeControl, FakeEvents } from './fake-control.ts';

export class LiveServer {
  readonly control = new FakeControl();
  readonly explain = new FakeExplain();
  readonly events = new FakeEvents();
  readonly directory: string;
  readonly socketPath: string;
  operations: Operations = {
    exec: async () => {
      throw new AppError('LXC_NOT_RUNNING', {}, { message: 'Instance "web" is not running.', hint: 'Start it.' });
    },
  };
  readonly hostShutdown: HostShutdownPort = { start: async () => ({ instances: [] }), cancel: async () => undefined };
  readonly refused: Refusal[] = [];
  #close: (() => Promise<void>) | undefined;

  private constructor(directory: string) {
    this.directory = directory;
    this.socketPath = join(directory, 'lockstep.sock');
  }

  static async start(): Promise<LiveServer> {
    const server = new LiveServer(await mkdtemp(join(tmpdir(), 'lockstep-api-')));
    await server.listen();
    return server;
  }

  async listen(): Promise<void> {
    const api = await createApi({
      control: this.control,
      explain: this.explain,
      operations: { exec: (...call) => this.operations.exec(...call) },
      hostShutdown: {
        start: (actor) => this.hostShutdown.start(actor),
        cancel: (actor) => this.hostShutdown.cancel(actor),
      },
      events: this.events,
      metrics: async () => '',
      log: silentLog,
      version: '0.1.0',
      refused: (refusal) => void this.refused.push(refusal),
      peer: () => ({ pid: 1, uid: 1000, gid: 1000 }),
    });
    await api.listenUnix(this.socketPath);
    this.#close = () => api.close();
  }

  async stop(): Promise<void> {
    await this.#close?.();
    this.#close = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await rm(this.directory, { recursive: true, force: true });
  }
}
