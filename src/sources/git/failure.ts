// What git says when it fails, as a sentence with what to do about it. git has no codes for this: its messages (C.UTF-8, so English) are all
// there is, and what is not known is passed on as it is.
import { AppError, isErrno } from '../../core/errors.ts';
import { GitFailed } from './command.ts';

interface Known {
  readonly said: RegExp;
  readonly what: string;
  readonly hint: string;
}

const KNOWN: readonly Known[] = [
  {
    said: /host key verification failed|no matching host key|REMOTE HOST IDENTIFICATION HAS CHANGED/i,
    what: 'the ssh host key is not the pinned one',
    hint: 'Compare the key with what the host itself says, then put it into the knownHostsFile (ssh-keyscan prints it).',
  },
  {
    said: /unprotected private key file|bad permissions/i,
    what: 'the ssh key may be read by others, so ssh does not use it',
    hint: 'Run chmod 0600 on the sshKeyFile.',
  },
  {
    said: /permission denied \(|authentication failed|could not read (?:username|password)|returned error: 40[13]|terminal prompts disabled/i,
    what: 'the remote refused the credentials, or needs some',
    hint: 'Check the source\'s "auth" in the config file, and that they may read this repository.',
  },
  {
    said: /certificate subject name|no alternative certificate/i,
    what: "the server's certificate is for another name",
    hint: 'Write the host in the URL as its certificate has it.',
  },
  {
    said: /SSL CA cert/i,
    what: 'the certificate of the authority cannot be read',
    hint: 'Check auth.caFile: it is to hold certificates in PEM form.',
  },
  {
    // GnuTLS, by version ("server certificate verification failed", "server verification failed: certificate signer not trusted"), and OpenSSL.
    said: /SSL certificate|certificate verif|server verification failed|self.signed certificate|unable to get local issuer/i,
    what: "the server's certificate is not trusted",
    hint: 'Give the certificate of its authority as auth.caFile.',
  },
  {
    said: /dubious ownership/i,
    what: 'the repository belongs to another user than the daemon',
    hint: 'Let the repository belong to root, or read it over ssh or https.',
  },
  {
    said: /repository .* not found|not appear to be a git repository|returned error: 404|does not exist/i,
    what: 'there is no such repository',
    hint: 'Check the URL, and that the credentials may see the repository.',
  },
  {
    said: /returned error: 30\d|redirect/i,
    what: 'the server sends us elsewhere, which is not followed',
    hint: 'Give the URL it redirects to.',
  },
  {
    said: /could not resolve|connection refused|connection reset|timed out|no route to host|network is unreachable|failed to connect|couldn't connect|hung up|early EOF|unexpected disconnect|closed by/i,
    what: 'the remote cannot be reached, or the connection broke',
    hint: 'It is tried again by itself.',
  },
];

/** The mirror itself is broken: a truncated pack, a missing object (power cut, disk error). It has to be made anew. */
export class MirrorDamaged extends Error {}

const DAMAGE =
  /corrupt|bad object|bad tree|missing (?:blob|tree|commit|object)|unable to read|could not read|object file .* is empty|loose object|inflate|packfile|pack .* (?:bad|invalid)|not a git repository|invalid object|failed to (?:read|parse)|index file|could not parse|unresolved deltas|bad signature|error in object/i;
/** What a remote says of itself reads much the same: only words about objects and refs of ours count. */
const DAMAGE_DURING_FETCH =
  /bad object refs\/lockstep|did not send all necessary objects|loose object .* is corrupt|object file .* is empty|packfile \.?\/.*(?:index|truncated|corrupt|mismatch)/i;

/** The error of a git command, or MirrorDamaged in its place. */
export function damageOr(error: unknown, where: 'local' | 'remote'): unknown {
  const pattern = where === 'local' ? DAMAGE : DAMAGE_DURING_FETCH;
  return error instanceof GitFailed && pattern.test(error.said) ? new MirrorDamaged(`The git mirror is damaged: ${error.said}`) : error;
}

/** Anything that went wrong with a remote as SOURCE_UNREADABLE (or DISK_FULL, TOOL_MISSING, CANCELLED, TIMED_OUT as they are). */
export function remoteFailure(name: string, url: string, error: unknown): AppError {
  const detail = { source: name, url };
  if (error instanceof AppError) {
    if (error.code !== 'TIMED_OUT') return error;
    const hint = 'It is tried again by itself. A large repository may need a longer "timeout".';
    return new AppError('SOURCE_UNREADABLE', detail, { message: `The remote ${url} did not answer in time.`, hint, cause: error });
  }
  if (!(error instanceof GitFailed)) {
    const code = isErrno(error, 'ENOSPC') || isErrno(error, 'EDQUOT') ? 'DISK_FULL' : 'SOURCE_UNREADABLE';
    return new AppError(code, detail, { message: `Reading the remote ${url} failed.`, cause: error });
  }
  if (/no space left|disk quota/i.test(error.said)) {
    return new AppError('DISK_FULL', detail, {
      message: `There is no space left for what ${url} sends.`,
      hint: 'Free some space.',
      cause: error,
    });
  }
  const known = KNOWN.find(({ said }) => said.test(error.said));
  const message = `Reading ${url} failed${known === undefined ? '' : `: ${known.what}`}.`;
  return new AppError(
    'SOURCE_UNREADABLE',
    detail,
    known === undefined ? { message, cause: error } : { message, hint: known.hint, cause: error },
  );
}
