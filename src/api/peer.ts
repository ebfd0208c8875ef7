// Who is at the other end of a unix socket: SO_PEERCRED, read by a function of the native addon that is passed in.
import type { Socket } from 'node:net';
import type { PeerCredentials, PeerReader } from './ports.ts';

/** A reader over a native function that takes a file descriptor. A socket that is closed already gives undefined. */
export function peerReader(readCredentials: (fd: number) => PeerCredentials): PeerReader {
  return (socket) => {
    // Node has no public way to a socket's descriptor; net.Socket's handle has had `fd` since libuv has pipes.
    const handle = (socket as Socket & { _handle?: { fd?: unknown } | null })._handle;
    const fd = handle?.fd;
    if (typeof fd !== 'number' || fd < 0) return undefined;
    try {
      return readCredentials(fd);
    } catch {
      return undefined;
    }
  };
}

/** Names the peer for the audit log. Asked once per connection: the credentials are those at connect time and never change. */
export function actorReader(peer: PeerReader | undefined): (socket: Socket) => string {
  const known = new WeakMap<Socket, string>();
  return (socket) => {
    let actor = known.get(socket);
    if (actor === undefined) {
      const credentials = peer?.(socket);
      actor = credentials === undefined ? 'local' : `uid:${credentials.uid}`;
      known.set(socket, actor);
    }
    return actor;
  };
}
