// The unix socket as a file: takes over a stale one, refuses a live one, and sets who may connect (owner and group, 0660).
import { chmod, chown, lstat, readFile, unlink } from 'node:fs/promises';
import { connect } from 'node:net';
import { AppError, isErrno, toAppError } from '../core/errors.ts';

const CONNECT_TIMEOUT_MS = 1000;
// sockaddr_un holds 108 bytes with the closing NUL (unix(7)); Node silently cuts a longer path off.
const MAX_PATH_BYTES = 107;

/** Makes `path` free to listen on. Throws STATE_DIR_BUSY when a process answers there, CONFLICT when it is no socket. */
export async function clearSocketPath(path: string): Promise<void> {
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) {
    throw new AppError(
      'VALUE_INVALID',
      { path },
      { message: `The socket path "${path}" is longer than ${MAX_PATH_BYTES} bytes.`, hint: 'Give a shorter --run-dir.' },
    );
  }
  const found = await lstat(path).catch((error: unknown) => {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw toAppError(error, 'FILE_FAILED', { path });
  });
  if (found === undefined) return;
  if (!found.isSocket()) {
    throw new AppError('CONFLICT', { path }, { message: `"${path}" is in the way: it is not a socket.`, hint: 'Move it away.' });
  }
  if (await answers(path)) {
    throw new AppError(
      'STATE_DIR_BUSY',
      { path },
      { message: `Another process listens on "${path}".`, hint: 'Stop the other lockstepd, or give this one another --run-dir.' },
    );
  }
  await unlink(path).catch((error: unknown) => {
    if (!isErrno(error, 'ENOENT')) throw toAppError(error, 'FILE_FAILED', { path });
  });
}

/** Lets root and `group` connect. The group is set before the mode, so that no other group is ever let in. */
export async function restrictSocket(path: string, group: string | number | undefined): Promise<void> {
  if (group !== undefined) await chown(path, 0, typeof group === 'number' ? group : await groupId(group));
  await chmod(path, 0o660);
}

async function groupId(name: string): Promise<number> {
  const text = await readFile('/etc/group', 'utf8');
  for (const line of text.split('\n')) {
    const [group, , gid] = line.split(':');
    if (group === name && gid !== undefined && /^\d+$/.test(gid)) return Number(gid);
  }
  throw new AppError(
    'VALUE_INVALID',
    { group: name },
    { message: `There is no group "${name}" to give the socket to.`, hint: `Make it with: groupadd --system ${name}` },
  );
}

/** A full backlog (EAGAIN) or a slow answer also means that somebody is there. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    const finish = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => finish(true));
    socket.once('connect', () => finish(true));
    socket.once('error', (error) => finish(!isErrno(error, 'ECONNREFUSED') && !isErrno(error, 'ENOENT')));
  });
}
