// Processes by pid, through pidfds.
import { isErrno } from '../../core/errors.ts';
import { loadNative, type NativeProcess } from './binding.ts';
import { fromNative } from './native-failure.ts';

/**
 * Undefined only when the kernel says that there is no such process (EINVAL: the number is that of another process's thread by now). Any other
 * failure, such as no descriptor left, says nothing of it and is thrown: what is taken for ended is cleaned up after, and so killed.
 */
export function openProcess(pid: number): NativeProcess | undefined {
  try {
    return new (loadNative().Process)({ pid });
  } catch (error) {
    if (isErrno(error, 'ESRCH') || isErrno(error, 'EINVAL')) return undefined;
    throw fromNative(error, 'HOST_UNREADABLE', `Process ${pid} cannot be watched`, { pid });
  }
}
