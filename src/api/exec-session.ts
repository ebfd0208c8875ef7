// One command over one WebSocket: moves bytes between the frames and the process, with back-pressure both ways, and ends either when
// the other one has ended.
import type { WebSocket } from 'ws';
import type { ExecProcess } from '../operations/operations.ts';
import { CHANNEL, checkExecControl } from './exec-frames.ts';

/** Output that the client has not taken yet; beyond it the command is not read from. */
const MAX_UNSENT_BYTES = 1024 * 1024;
/** A command's background children may keep its pipes open: after its end, this much silence ends the output. */
const SILENCE_MS = 500;
/** What a command gets between SIGHUP and SIGKILL when its client is gone. */
const HANGUP_MS = 2000;
const SIGHUP = 1;
const SIGKILL = 9;

export class ExecSession {
  readonly #client: WebSocket;
  #lastOutput = 0;

  constructor(client: WebSocket) {
    this.#client = client;
  }

  /** Resolves when the command has ended and its output is sent, or the client is gone. Rejects when the process cannot be waited for. */
  async run(process: ExecProcess): Promise<void> {
    const gone = this.#watchClient(process);
    this.#send({ type: 'started' });
    const outputs = [this.#forward(process.stdout, CHANNEL.stdout)];
    if (process.stderr !== undefined) outputs.push(this.#forward(process.stderr, CHANNEL.stderr));
    this.#receive(process);
    const code = await process.exited;
    gone.ended();
    this.#client.resume(); // it may be paused for input that nobody will take any more
    await Promise.race([Promise.all(outputs), this.#silence()]);
    this.#send({ type: 'exit', code });
    this.#client.close(1000);
  }

  #send(message: object): void {
    if (this.#client.readyState === this.#client.OPEN) this.#client.send(JSON.stringify(message));
  }

  /** A client that leaves takes its command with it, as a closed terminal does. */
  #watchClient(process: ExecProcess): { ended(): void } {
    let timer: NodeJS.Timeout | undefined;
    let over = false;
    const hangUp = () => {
      if (over) return;
      process.signal(SIGHUP);
      timer = setTimeout(() => process.signal(SIGKILL), HANGUP_MS);
      timer.unref();
    };
    if (this.#client.readyState === this.#client.OPEN) this.#client.once('close', hangUp);
    else hangUp();
    return {
      ended: () => {
        over = true;
        clearTimeout(timer);
      },
    };
  }

  #forward(stream: NodeJS.ReadableStream, channel: number): Promise<void> {
    this.#lastOutput = performance.now();
    return new Promise((resolve) => {
      stream.on('data', (chunk: Buffer | string) => {
        this.#lastOutput = performance.now();
        const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
        const frame = Buffer.allocUnsafe(bytes.length + 1);
        frame[0] = channel;
        bytes.copy(frame, 1);
        if (this.#client.readyState !== this.#client.OPEN) return;
        this.#client.send(frame, () => {
          this.#lastOutput = performance.now();
          if (this.#client.bufferedAmount <= MAX_UNSENT_BYTES) stream.resume();
        });
        if (this.#client.bufferedAmount > MAX_UNSENT_BYTES) stream.pause();
      });
      stream.once('end', resolve);
      stream.once('close', resolve);
      // A terminal's master reports EIO when the last process behind it is gone (tty_io.c): that is its end of file.
      stream.once('error', () => resolve());
    });
  }

  #receive(process: ExecProcess): void {
    const client = this.#client;
    process.stdin.on('error', () => undefined); // EPIPE: the command has closed its input, which is its right
    client.on('message', (data: Buffer, isBinary: boolean) => {
      if (isBinary) this.#input(data, process);
      else this.#control(data.toString('utf8'), process);
    });
    client.resume();
  }

  #input(frame: Buffer, process: ExecProcess): void {
    if (frame[0] !== CHANNEL.stdin) {
      this.#client.close(1008, 'clients write to channel 0 only');
    } else if (frame.length === 1) {
      process.stdin.end();
    } else if (!process.stdin.write(frame.subarray(1))) {
      this.#client.pause();
      process.stdin.once('drain', () => this.#client.resume());
    }
  }

  #control(text: string, process: ExecProcess): void {
    try {
      const control = checkExecControl(text);
      if (control.type === 'resize') process.resize(control.columns, control.rows);
      else process.signal(control.number);
    } catch {
      this.#client.close(1008, 'the control frame is not valid');
    }
  }

  async #silence(): Promise<void> {
    for (;;) {
      const left = this.#lastOutput + SILENCE_MS - performance.now();
      if (left <= 0 && this.#client.bufferedAmount === 0) return;
      await new Promise((resolve) => setTimeout(resolve, Math.max(left, 20)));
      if (this.#client.readyState !== this.#client.OPEN) return;
    }
  }
}
