// Requests to the native helper and its replies. When the helper ends, everything pending is rejected with LXC_HELPER_LOST (what became
// of it is not known: look again, never repeat blindly) and a new one is started at the next request.
import { closeSync } from 'node:fs';
import { join } from 'node:path';
import { AppError, ERRORS, type ErrorCode } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import { loadNative, nativeDir, type NativeZygote } from './binding.ts';
import { logReason } from './native-failure.ts';

/** The numbers of native/src/protocol.h. */
const OP = { start: 1, exec: 2, write: 3, cancel: 4, plug: 5, done: 100, failed: 101, exited: 102, ended: 103 } as const;

export interface HelperReply {
  readonly fields: readonly string[];
  /** Belong to the receiver. */
  readonly fds: readonly number[];
}

interface Pending {
  readonly zygote: NativeZygote;
  readonly resolve: (reply: HelperReply) => void;
  readonly reject: (error: AppError) => void;
}

interface Watched {
  readonly resolve: (code: number) => void;
  readonly reject: (error: AppError) => void;
}

export class Helper {
  readonly #log: Log;
  readonly #pending = new Map<number, Pending>();
  /** Commands that run: their exit code is still to come. They outlive the helper, so they are not lost with it. */
  readonly #watched = new Map<number, Watched>();
  #zygote: NativeZygote | undefined;
  #lastId = 0;
  #closed = false;
  #restarts = 0;

  constructor(log: Log) {
    this.#log = log;
    this.#zygote = this.#spawn();
  }

  get pid(): number | undefined {
    return this.#zygote?.pid;
  }

  /** How often a helper was lost. */
  get restarts(): number {
    return this.#restarts;
  }

  /** Resolves with `done`, rejects with the helper's code, or LXC_HELPER_LOST. */
  request(
    op: 'start' | 'exec' | 'write' | 'plug',
    fields: readonly string[],
    fds: readonly number[] = [],
  ): { id: number; reply: Promise<HelperReply> } {
    if (this.#closed) throw new AppError('HANDLE_CLOSED', {}, { message: 'The native helper was closed.' });
    const zygote = (this.#zygote ??= this.#spawn());
    const id = (this.#lastId = (this.#lastId % 0xffff_fff0) + 1);
    const reply = new Promise<HelperReply>((resolve, reject) => {
      this.#pending.set(id, { zygote, resolve, reject });
    });
    try {
      zygote.send(id, OP[op], fields, fds);
    } catch (error) {
      this.#pending.delete(id);
      throw error;
    }
    this.#keepAlive();
    return { id, reply };
  }

  /** The exit code of a command whose request was answered. Call it right after that. */
  exited(id: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#watched.set(id, { resolve, reject });
      this.#keepAlive();
    });
  }

  /** Ends the child that works on a request (never a monitor). */
  cancel(id: number): void {
    try {
      this.#zygote?.send(id, OP.cancel, [], []);
    } catch {
      // Gone: so is what was to be cancelled, or it is no longer ours to reach.
    }
  }

  /** Ends the helper. Monitors go on; commands are ended. */
  close(): void {
    this.#closed = true;
    this.#zygote?.close();
    this.#zygote = undefined;
    const error = new AppError('CANCELLED', {}, { message: 'The native helper was closed.' });
    for (const one of this.#pending.values()) one.reject(error);
    for (const one of this.#watched.values()) one.reject(error);
    this.#pending.clear();
    this.#watched.clear();
  }

  #spawn(): NativeZygote {
    const zygote: NativeZygote = new (loadNative().Zygote)(
      join(nativeDir(), 'lockstep-helper'),
      (id, op, fields, fds) => {
        this.#received(id, op, fields, fds);
        this.#keepAlive();
      },
      () => {
        this.#lost(zygote);
      },
    );
    return zygote;
  }

  /** The event loop goes on while somebody waits for a reply. */
  #keepAlive(): void {
    this.#zygote?.keepAlive(this.#pending.size + this.#watched.size > 0);
  }

  #received(id: number, op: number, fields: readonly string[], fds: readonly number[]): void {
    if (op === OP.exited) {
      this.#watched.get(id)?.resolve(Number(fields[0]));
      this.#watched.delete(id);
      return;
    }
    if (op === OP.ended) {
      const gone = new AppError(
        'LXC_HELPER_LOST',
        { status: fields[0] },
        { message: 'The helper process for this request ended before it was done.' },
      );
      this.#pending.get(id)?.reject(gone);
      this.#watched.get(id)?.reject(gone);
      this.#pending.delete(id);
      this.#watched.delete(id);
      return;
    }
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (!pending) {
      for (const fd of fds) closeSync(fd);
      return;
    }
    if (op === OP.done) {
      pending.resolve({ fields, fds });
      return;
    }
    const [code = '', message = '', log = '', extra] = fields;
    const known: ErrorCode = code in ERRORS ? (code as ErrorCode) : 'LXC_FAILED';
    const reason = logReason(log);
    const said = reason === undefined ? message : code === 'LXC_START_FAILED' ? `${reason}.` : `${message} ${reason}.`;
    pending.reject(new AppError(known, { log: log.slice(-4000) || undefined, exitCode: extra || undefined }, { message: said }));
  }

  #lost(zygote: NativeZygote): void {
    if (this.#zygote === zygote) this.#zygote = undefined;
    if (this.#closed) return;
    this.#restarts++;
    const lost = [...this.#pending].filter(([, one]) => one.zygote === zygote);
    this.#log.warn({ pid: zygote.pid, requests: lost.length }, 'the native helper ended and will be started again');
    for (const [id, one] of lost) {
      this.#pending.delete(id);
      one.reject(new AppError('LXC_HELPER_LOST', { requests: lost.length }));
    }
    // Now, while nobody waits for it.
    try {
      this.#zygote ??= this.#spawn();
    } catch (error) {
      this.#log.error({ err: error }, 'the native helper cannot be started');
    }
  }
}
