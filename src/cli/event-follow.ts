// Follows the daemon's events: reads the stream, and resumes it where it ended when the connection is lost (a daemon that restarts).
import { setTimeout as sleep } from 'node:timers/promises';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { LockstepEvent } from '../core/events.ts';
import type { ApiClient } from './client.ts';

const RETRY_MS = 1000;

/** Resolves when the person interrupts. Rejects when the daemon does not answer at the very start. */
export async function followEvents(
  client: ApiClient,
  last: number,
  print: (event: LockstepEvent) => void,
  note: (text: string) => void,
): Promise<void> {
  const interrupted = new AbortController();
  process.once('SIGINT', () => interrupted.abort());
  process.once('SIGTERM', () => interrupted.abort());
  let seq = last;
  for (let connected = false; !interrupted.signal.aborted;) {
    try {
      const stream = await client.eventStream(seq, interrupted.signal);
      connected = true;
      for await (const message of messages(stream)) {
        if (message.event === 'missed') {
          note('Some events are no longer stored and are left out.');
          continue;
        }
        const event = JSON.parse(message.data) as LockstepEvent;
        seq = event.seq;
        print(event);
      }
    } catch (error) {
      if (interrupted.signal.aborted) return;
      if (!connected) throw error;
    }
    if (interrupted.signal.aborted) return;
    note('The connection to the daemon was lost; trying again.');
    await reconnected(client, interrupted.signal);
  }
}

async function reconnected(client: ApiClient, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined);
    const answered = await client.events({ limit: 1 }).then(
      () => true,
      () => false,
    );
    if (answered) return;
  }
}

/** Messages of a stream of server-sent events (HTML standard, "Server-sent events"), comments left out. */
export async function* messages(stream: Readable): AsyncGenerator<{ readonly event: string; readonly data: string }> {
  let event = 'message';
  let data: string[] = [];
  for await (const line of createInterface({ input: stream, crlfDelay: Infinity })) {
    if (line === '') {
      if (data.length > 0) yield { event, data: data.join('\n') };
      event = 'message';
      data = [];
    } else if (line.startsWith('event: ')) {
      event = line.slice(7);
    } else if (line.startsWith('data: ')) {
      data.push(line.slice(6));
    }
  }
}
