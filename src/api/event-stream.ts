// Server-sent events to one client: stored events first, then live ones without a gap; bounded, so that a client that does not read
// costs at most one buffer.
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { LockstepEvent } from '../core/events.ts';
import type { EventStream } from './ports.ts';

const PAGE = 200;
/** A client with more than this unread is disconnected. */
const MAX_UNREAD_BYTES = 1024 * 1024;
/** Keeps proxies and the client's own time limit from ending a quiet stream. */
const HEARTBEAT_MS = 15_000;

/** Resolves when the client or the server has ended the stream. `last`: number of the last event the client has. */
export async function streamEvents(
  response: ServerResponse,
  events: EventStream,
  last: string | string[] | undefined,
  stop: AbortSignal,
): Promise<void> {
  const end = AbortSignal.any([stop, closed(response)]);
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store', 'x-accel-buffering': 'no' });
  response.write(': lockstep events\n\n');

  let seq = last === undefined ? undefined : Number(last);
  while (seq !== undefined && !end.aborted) {
    const page = events.since(seq, PAGE);
    for (const event of page) {
      // Numbers have no holes, so a jump means that old events were dropped from the store.
      if (event.seq > seq + 1) response.write(missed(seq + 1, event.seq - 1));
      response.write(frame(event));
      seq = event.seq;
    }
    if (page.length < PAGE) break;
    if (response.writableNeedDrain) await once(response, 'drain', { signal: end }).catch(() => undefined);
  }
  // No await between the last page and here: nothing can be emitted in between.
  const unsubscribe = events.subscribe((event) => {
    if (seq !== undefined && event.seq <= seq) return;
    if (response.writableLength > MAX_UNREAD_BYTES) response.destroy();
    else response.write(frame(event));
  });
  const heartbeat = setInterval(() => response.write(':\n\n'), HEARTBEAT_MS);
  heartbeat.unref();
  try {
    if (!end.aborted) await once(end, 'abort');
  } finally {
    clearInterval(heartbeat);
    unsubscribe();
    response.end();
  }
}

function closed(response: ServerResponse): AbortSignal {
  const ended = new AbortController();
  response.once('close', () => ended.abort());
  response.once('error', () => ended.abort());
  return ended.signal;
}

/** JSON has no raw newlines, so an event is always one `data` line. */
function frame(event: LockstepEvent): string {
  return `id: ${event.seq}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}

function missed(from: number, to: number): string {
  return `event: missed\ndata: ${JSON.stringify({ from, to })}\n\n`;
}
