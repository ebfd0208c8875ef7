// Who is at the other end of a unix socket, by its credentials (SO_PEERCRED), as the audit log names it.
import type { Socket } from 'node:net';
import type { PeerReader } from './ports.ts';

/**
 * Asked once per connection: the credentials are those at connect time and never change. What the reader throws (FORBIDDEN for a
 * connection that is gone) refuses the request: nothing is done for somebody who cannot be named.
 */
export function actorReader(peer: PeerReader | undefined): (socket: Socket) => string {
  const known = new WeakMap<Socket, string>();
  return (socket) => {
    let actor = known.get(socket);
    if (actor === undefined) {
      actor = peer === undefined ? 'local' : `uid:${peer(socket).uid}`;
      known.set(socket, actor);
    }
    return actor;
  };
}

/** For telling of a refusal: the one at the other end may be gone already. */
export function nameOf(actor: (socket: Socket) => string, socket: Socket): string {
  try {
    return actor(socket);
  } catch {
    return 'unknown';
  }
}
