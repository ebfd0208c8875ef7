// Who is at the other end of a unix socket (SO_PEERCRED, unix(7)).
import { AppError } from '../../core/errors.ts';
import { loadNative } from './binding.ts';

export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** Credentials of whoever connected, from a descriptor or an accepted `net.Socket`. Throws FORBIDDEN when they are not known. */
export function peerCredentials(from: number | object): PeerCredentials {
  const fd = typeof from === 'number' ? from : (from as { _handle?: { fd?: number } })._handle?.fd;
  if (fd === undefined || fd < 0) throw new AppError('FORBIDDEN', {}, { message: 'The connection is closed, so its peer is not known.' });
  return loadNative().peerCredentials(fd);
}
